// What stands still: a monitor, an infra container, a process of a pod, a client, a CSI driver. It costs its own pod or request;
// deletion finishes, or says what it waits for.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectApi, readKubeconfig } from '../../src/client/http-client.ts';
import { CSI_DRIVERS, PODS } from '../../src/client/resources.ts';
import { eventually, KUBECTL, ROOT, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { processesOf } from '../lib/processes.ts';

describe('what stands still', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('bystander', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('bystander');
  });
  after(() => engine.close());

  const uidOf = async (name: string): Promise<string> => (await engine.pod(name)).metadata?.uid ?? '';
  const monitorOf = (uid: string): number | undefined =>
    readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .map(Number)
      .find((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          return /^\S*conmon\0/.test(command) && command.includes(uid);
        } catch {
          return false;
        }
      });

  const VICTIMS: Readonly<Record<string, (uid: string) => number | undefined>> = {
    monitor: monitorOf,
    'infra container': (uid) => processesOf(uid).find(({ command }) => command === '/pause')?.pid,
    process: (uid) => processesOf(uid).find(({ command }) => command.startsWith('sleep'))?.pid,
  };
  for (const [what, victim] of Object.entries(VICTIMS)) {
    test(`a ${what} that is stopped: the pod beside it goes on, a new one starts, and deletion finishes`, async () => {
      const name = `stopped-${what.replace(' ', '-')}`;
      await engine.api.create(PODS, podOf(name, [shell('app', 'exec sleep 3601')]));
      await engine.waitReady(name);
      const uid = await uidOf(name);
      // Ready is told when the shell runs; it becomes the command a moment later.
      process.kill(await eventually(`there is a ${what}`, () => victim(uid)), 'SIGSTOP');
      assert.equal((await engine.kube('exec', 'bystander', '--', 'echo', 'here')).trim(), 'here');
      await engine.api.create(PODS, podOf(`${name}-next`, [shell('app', 'exec sleep 3602')]));
      await engine.waitReady(`${name}-next`);
      await engine.kube('delete', 'pod', name, `${name}-next`, '--timeout=120s');
      await eventually('nothing of it is left', () => processesOf(uid).length === 0 || undefined);
      assert.equal(monitorOf(uid), undefined);
    });
  }

  test('a client that goes while the command reads nothing: the command ends with it', async () => {
    const { node } = connectApi(readKubeconfig(engine.kubeconfig));
    const gone = new AbortController();
    const stdin = new PassThrough();
    const session = await node.exec({
      ...{ namespace: 'default', pod: 'bystander', container: 'app' },
      ...{
        command: ['sleep', '3777'],
        tty: false,
        stdin,
        stdout: new PassThrough().resume(),
        signal: gone.signal,
      },
    });
    session.exitCode.catch(() => {});
    const uid = await uidOf('bystander');
    const isThere = (): boolean => processesOf(uid).some(({ command }) => command === 'sleep 3777');
    await eventually('it runs', () => isThere() || undefined);
    // More than all the buffers on the way hold.
    stdin.write(Buffer.alloc(8 * 1024 * 1024));
    await sleep(500);
    gone.abort(new Error('the client is gone'));
    await eventually('it has ended', () => !isThere() || undefined);
  });

  for (const transport of ['WebSocket', 'SPDY'] as const) {
    test(`kubectl is killed while its command reads nothing, over ${transport}: the command ends with it`, async () => {
      const env = {
        ...process.env,
        KUBECONFIG: engine.kubeconfig,
        KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(transport === 'WebSocket'),
      };
      const client = spawn(KUBECTL, ['exec', '-i', 'bystander', '--', 'sleep', '3778'], {
        env,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      client.stdin.on('error', () => {});
      client.stdin.write(Buffer.alloc(8 * 1024 * 1024));
      const uid = await uidOf('bystander');
      const isThere = (): boolean => processesOf(uid).some(({ command }) => command === 'sleep 3778');
      await eventually('it runs', () => isThere() || undefined);
      // Until every buffer on the way is full.
      await sleep(1_000);
      client.kill('SIGKILL');
      await eventually('it has ended', () => !isThere() || undefined);
    });
  }

  test('a CSI driver that answers nothing costs its pod alone; gone, the pod says so; back, the deletion finishes', {
    timeout: 600_000,
  }, async () => {
    const name = 'hung.podwright.dev';
    const socket = `${engine.dataDir}/plugins/${name}/csi.sock`;
    const eventsOfPod = () => engine.kube('get', 'events', '--field-selector=involvedObject.name=csi');
    const isTold = (words: RegExp) => async () => words.test(await eventsOfPod()) || undefined;
    const calls = new Set<Socket>();
    mkdirSync(dirname(socket), { recursive: true });
    const silent = createServer((call) => void calls.add(call)).listen(socket);
    await engine.api.create(CSI_DRIVERS, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name },
      spec: { attachRequired: false, volumeLifecycleModes: ['Ephemeral'] },
    });
    const volumes = [{ name: 'v', csi: { driver: name } }];
    const app = shell('app', 'exec sleep 3603', { volumeMounts: [{ name: 'v', mountPath: '/v' }] });
    await engine.api.create(PODS, podOf('csi', [app], { volumes }));
    await eventually('the driver is called', () => calls.size > 0 || undefined);

    await engine.api.create(PODS, podOf('other', [shell('app', 'exec sleep 3604')]));
    await engine.waitReady('other');
    await engine.kube('delete', 'pod', 'other', '--timeout=120s');

    silent.close();
    for (const call of calls) call.destroy();
    await eventually('the pod says why it waits', isTold(/FailedMount .*"v"/));
    await engine.kube('delete', 'pod', 'csi', '--wait=false');
    await eventually('its deletion says what it waits for', isTold(/FailedKillPod .*hung\.podwright\.dev/));

    const program = join(ROOT, 'examples/csi-war/war-driver.ts');
    const args = [program, '--socket', socket, '--cache', `${engine.dir}/wars`];
    const answering = spawn(process.execPath, args, { stdio: 'ignore' });
    try {
      await engine.kube('wait', '--for=delete', 'pod/csi', '--timeout=180s');
    } finally {
      answering.kill('SIGKILL');
    }
  });
});
