// The real machine: the contract, and what only a real kernel can show.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerId } from '../../src/base/brand.ts';
import { containerDir, logPath, runtimeRoot, sandboxDir } from '../../src/machine/layout.ts';
import type { ContainerConfig, ContainerSecurity } from '../../src/machine/model/container.ts';
import type { PodIdentity } from '../../src/machine/model/pod-identity.ts';
import type { SandboxConfig } from '../../src/machine/model/sandbox.ts';
import type { ContainerRecord } from '../../src/machine/records.ts';
import { type LinuxRig, makeLinuxRig } from './linux-rig.ts';
import {
  containerConfig,
  eventually,
  exit,
  logText,
  machineContract,
  observed,
  podIdentity,
  sandboxConfig,
  sink,
} from './machine-contract.ts';

machineContract('the Linux machine', () => makeLinuxRig());

/** For what no event of the machine tells. */
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 2400, 'not within two minutes');
    await sleep(50);
  }
}

const never = (): AbortSignal => new AbortController().signal;

describe('the Linux machine', { timeout: 600_000 }, () => {
  let rig: LinuxRig;
  before(async () => {
    rig = await makeLinuxRig();
  });
  after(async () => {
    for (const pod of rig.machine.pods()) await rig.machine.removePod(pod.uid);
    const left = rig.traces();
    await rig.end();
    assert.deepEqual(left, []);
  });

  const startPod = async (name: string, change: Partial<SandboxConfig> = {}): Promise<PodIdentity> => {
    const pod = podIdentity(name);
    await rig.machine.createSandbox({ ...sandboxConfig(pod), ...change }, never());
    return pod;
  };
  const start = async (
    pod: PodIdentity,
    script: string,
    change: Partial<ContainerConfig> = {},
  ): Promise<ContainerId> => {
    const command = ['sh', '-c', script];
    const config = containerConfig(pod, { name: 'main', imageId: rig.imageId, command, ...change });
    const id = await rig.machine.createContainer(config, never());
    await rig.machine.startContainer(id);
    return id;
  };
  /** What the script prints. */
  const output = async (
    pod: PodIdentity,
    script: string,
    change: Partial<ContainerConfig> = {},
  ): Promise<string> => {
    const id = await start(pod, script, change);
    await exit(rig.machine, pod, id);
    const text = await logText(rig.machine, id);
    await rig.machine.removeContainer(id, { log: 'remove' });
    return text;
  };
  const security = (change: Partial<ContainerSecurity>): Pick<ContainerConfig, 'security'> => ({
    security: { ...containerConfig(podIdentity('x'), { name: 'x', imageId: '' }).security, ...change },
  });
  const pidOf = (pod: PodIdentity, id: ContainerId): number => {
    const { state } = observed(rig.machine, pod, id);
    assert.ok(state.kind === 'running');
    return state.pid;
  };
  const infraPid = (pod: PodIdentity): number =>
    Number(readFileSync(join(sandboxDir(rig.dirs, pod.uid, 0), 'pid'), 'utf8'));
  const conmonPid = (pod: PodIdentity): number =>
    Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pidOf(pod, mainId(pod))}/status`, 'utf8'))?.[1]);
  const mainId = (pod: PodIdentity): ContainerId => {
    const id = rig.machine.observe(pod.uid).containers[0]?.id;
    assert.ok(id !== undefined);
    return id;
  };

  test('containers of a pod share address, hostname and shared memory; processes are their own', async () => {
    const pod = await startPod('shared');
    const first = await start(pod, 'echo here > /dev/shm/word; exec sleep 100', { name: 'first' });
    const [sandbox] = rig.machine.observe(pod.uid).sandboxes;
    assert.ok(sandbox?.state.kind === 'ready');
    const seen = await output(
      pod,
      'hostname; cat /dev/shm/word; ip -4 -o addr show dev eth0; ls -d /proc/[0-9]* | wc -l',
    );
    assert.match(seen, /^shared\nhere\n/);
    assert.ok(seen.includes(`inet ${sandbox.state.ips[0]}/`));
    assert.ok(Number(seen.trim().split('\n').at(-1)) < 5);
    assert.notEqual(pidOf(pod, first), infraPid(pod));
    await rig.machine.removePod(pod.uid);
  });

  test('/etc/hosts, hostname and resolv.conf are the pod’s', async () => {
    const pod = await startPod('etc', { hostAliases: [{ ip: '192.0.2.9', hostnames: ['far', 'away'] }] });
    const text = await output(pod, 'cat /etc/hosts /etc/hostname /etc/resolv.conf');
    assert.match(text, /\tetc\n/);
    assert.match(text, /192\.0\.2\.9\tfar\taway/);
    assert.match(text, /^etc\nsearch example\.test\nnameserver 192\.0\.2\.53\n/m);
    await rig.machine.removePod(pod.uid);
  });

  test('environment, directory, user and groups', async () => {
    const pod = await startPod('who');
    const env = [{ name: 'WORD', value: 'a=b c' }];
    assert.equal(
      await output(pod, 'echo "$WORD $FROM_IMAGE $HOSTNAME $HOME"; pwd', { env }),
      'a=b c yes who /root\n/tmp\n',
    );
    const asWeb = { ...security({ runAsUser: 1000, supplementalGroups: [3000] }), workingDir: '/etc' };
    assert.equal(
      await output(pod, 'id -u; id -g; id -G; pwd; echo $HOME', asWeb),
      '1000\n1000\n1000 2000 3000\n/etc\n/srv\n',
    );
    await assert.rejects(start(pod, 'true', security({ runAsNonRoot: true })), { code: 'ConfigFailed' });
    assert.deepEqual(rig.machine.observe(pod.uid).containers, []);
    await rig.machine.removePod(pod.uid);
  });

  test('capabilities, no new privileges, seccomp and read-only root', async () => {
    const pod = await startPod('tight');
    const status = 'grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status';
    const plain = await output(pod, status);
    assert.match(plain, /CapEff:\s+00000000a80425fb\nNoNewPrivs:\s+0\nSeccomp:\s+2/);
    const bare = security({
      dropCapabilities: ['ALL'],
      addCapabilities: ['NET_BIND_SERVICE'],
      allowPrivilegeEscalation: false,
    });
    assert.match(await output(pod, status, bare), /CapEff:\s+0000000000000400\nNoNewPrivs:\s+1/);
    assert.match(await output(pod, 'unshare -m true 2>&1 || echo refused'), /refused/);
    assert.match(
      await output(pod, 'touch /x 2>&1 || echo refused', security({ readOnlyRootFilesystem: true })),
      /refused/,
    );
    assert.match(await output(pod, 'touch /proc/sys/kernel/domainname 2>&1 || echo refused'), /refused/);
    const free = security({ privileged: true });
    assert.match(
      await output(pod, `${status}; mount -t tmpfs none /tmp && echo mounted`, free),
      /Seccomp:\s+0\nmounted/,
    );
    await rig.machine.removePod(pod.uid);
  });

  test('resources become limits of the container’s and the pod’s cgroups', async () => {
    const podResources = { memoryLimitBytes: 64 * 1024 * 1024, pidsLimit: 100 };
    const pod = await startPod('limits', { podResources, qosClass: 'Burstable' });
    const resources = { cpuRequestMilli: 250, cpuLimitMilli: 500, memoryLimitBytes: 32 * 1024 * 1024 };
    const id = await start(pod, 'exec sleep 100', { resources });
    const groups = readFileSync(`/proc/${pidOf(pod, id)}/cgroup`, 'utf8');
    assert.match(groups, new RegExp(`/podwright-${rig.instance}/burstable/pod${pod.uid}/${id}\n`));
    const memory = join('/sys/fs/cgroup/memory', `podwright-${rig.instance}/burstable/pod${pod.uid}`);
    assert.equal(readFileSync(join(memory, 'memory.limit_in_bytes'), 'utf8'), `${64 * 1024 * 1024}\n`);
    assert.equal(readFileSync(join(memory, id, 'memory.limit_in_bytes'), 'utf8'), `${32 * 1024 * 1024}\n`);
    const cpu = join('/sys/fs/cgroup/cpu', `podwright-${rig.instance}/burstable/pod${pod.uid}`, id);
    assert.equal(readFileSync(join(cpu, 'cpu.shares'), 'utf8'), '256\n');
    assert.equal(readFileSync(join(cpu, 'cpu.cfs_quota_us'), 'utf8'), '50000\n');
    await rig.machine.removePod(pod.uid);
  });

  test('too much memory is OOMKilled', async () => {
    const pod = await startPod('hungry');
    const resources = { memoryLimitBytes: 16 * 1024 * 1024 };
    const id = await start(pod, 'exec tail -c 200000000 /dev/zero', { resources });
    const state = await exit(rig.machine, pod, id);
    assert.deepEqual([state.reason, state.exitCode], ['OOMKilled', 137]);
    await rig.machine.removePod(pod.uid);
  });

  test('a command that is not executable fails at start with the runtime’s words', async () => {
    const pod = await startPod('plain');
    for (const command of [['/plain-file'], ['/nosuch'], ['nosuch']]) {
      const config = containerConfig(pod, { name: 'main', imageId: rig.imageId, command });
      const id = await rig.machine.createContainer(config, never());
      await assert.rejects(rig.machine.startContainer(id), (error: Error & { code: string }) => {
        assert.equal(error.code, 'StartFailed');
        assert.ok(error.message.includes(command[0] ?? '?'), error.message);
        return true;
      });
      await rig.machine.removeContainer(id, { log: 'remove' });
    }
    await rig.machine.removePod(pod.uid);
  });

  test('the death of the infra container is told at once, and to a later engine too', async () => {
    const [seen, later] = [await startPod('seen'), await startPod('later')];
    const notReady = (pod: PodIdentity): Promise<true> =>
      eventually(rig.machine, 'the sandbox is not ready', () =>
        rig.machine.observe(pod.uid).sandboxes[0]?.state.kind === 'notReady' ? true : undefined,
      );
    process.kill(infraPid(seen), 'SIGKILL');
    await notReady(seen);
    await rig.crash();
    process.kill(infraPid(later), 'SIGKILL');
    await notReady(later);
    for (const pod of [seen, later]) await rig.machine.removePod(pod.uid);
  });

  test('a killed monitor: its container does not live on unseen', async () => {
    const pod = await startPod('unseen');
    const id = await start(pod, 'sleep 1000 & exec sleep 1000');
    const pid = pidOf(pod, id);
    process.kill(conmonPid(pod), 'SIGKILL');
    const state = await exit(rig.machine, pod, id);
    assert.deepEqual([state.exitCode, state.reason], [137, 'ContainerStatusUnknown']);
    assert.equal(isRunning(pid), false);
    await rig.machine.removePod(pod.uid);
  });

  test('PID 1 of a container ends in a shared PID namespace: what it left is reclaimed', async () => {
    const pod = await startPod('group', { namespaces: { network: 'pod', ipc: 'pod', pid: 'pod' } });
    const id = await start(pod, 'setsid sleep 987 & sleep 0.2; exit 0');
    const other = await start(pod, 'exec sleep 100', { name: 'other' });
    assert.equal((await exit(rig.machine, pod, id)).exitCode, 0);
    const group = join(
      '/sys/fs/cgroup/pids',
      `podwright-${rig.instance}/besteffort/pod${pod.uid}`,
      id,
      'cgroup.procs',
    );
    assert.throws(() => assert.notEqual(readFileSync(group, 'utf8'), ''));
    assert.equal(observed(rig.machine, pod, other).state.kind, 'running');
    assert.match(await output(pod, 'ps', { name: 'looks' }), /\/pause/);
    await rig.machine.removePod(pod.uid);
  });

  test('the termination message: from its file, else from the log where asked', async () => {
    const pod = await startPod('message');
    const written = await start(pod, 'echo why > /dev/termination-log; exit 1');
    assert.equal((await exit(rig.machine, pod, written)).message, 'why\n');
    const policy = { terminationMessagePolicy: 'FallbackToLogsOnError', attempt: 1 } as const;
    const logged = await start(pod, 'echo last words; exit 1', policy);
    assert.equal((await exit(rig.machine, pod, logged)).message, 'last words\n');
    await rig.machine.removePod(pod.uid);
  });

  test('logs: tail, since, limit, time stamps, long lines', async () => {
    const pod = await startPod('logs');
    const id = await start(
      pod,
      'echo one; echo two >&2; sleep 0.3; echo three; head -c 20000 /dev/zero | tr "\\0" x; echo',
    );
    await exit(rig.machine, pod, id);
    const read = async (more: object): Promise<string> => {
      let text = '';
      const options = { follow: false, timestamps: false, ...more };
      for await (const chunk of rig.machine.readLog(id, options, never())) text += String(chunk);
      return text;
    };
    const whole = `one\ntwo\nthree\n${'x'.repeat(20000)}\n`;
    assert.equal([...(await read({}))].sort().join(''), [...whole].sort().join(''));
    assert.equal(await read({ tailLines: 0 }), '');
    assert.equal(await read({ limitBytes: 5 }), (await read({})).slice(0, 5));
    const stamped = (await read({ timestamps: true })).split('\n');
    assert.match(stamped[0] ?? '', /^\d{4}-\d\d-\d\dT\S+ (one|two)$/);
    const three = stamped.find((line) => line.endsWith(' three'))?.split(' ')[0] ?? '';
    assert.match(await read({ sinceMs: Date.parse(three) }), /^three\nx+\n$/);
    await rig.machine.removePod(pod.uid);
  });

  test('a followed log goes on over rotations, each line once; the newest file is what is read without following', async () => {
    const pod = await startPod('follow');
    const lines = 'i=0; while [ $i -lt $1 ]; do i=$((i+1)); echo line $i; done';
    const script = `count() { ${lines}; }; while read n; do count $n; done`;
    const id = await start(pod, script, { stdin: true });
    const path = logPath(rig.dirs, pod, 'main', 0);
    const stdin = new PassThrough();
    await rig.machine.attach(id, { tty: false, stdin, stdout: sink().stream, signal: never() });
    const followed: string[] = [];
    const following = (async () => {
      const stream = rig.machine.readLog(id, { follow: true, timestamps: false }, never());
      for await (const chunk of stream) followed.push(String(chunk));
    })();
    const text = (): string => followed.join('');
    // Two files hold the same first line only if one was read twice.
    for (const round of [1, 2, 3, 4]) {
      stdin.write('5000\n');
      // Some rotations while it writes, some when it is quiet.
      if (round % 2 === 0) await until(() => text().split('\n').length > round * 5000);
      const inode = statSync(path).ino;
      await rig.machine.rotateLog(id, 3);
      await until(() => statSync(path).ino !== inode);
      // Names of files put aside are told apart by the second.
      await sleep(1100);
    }
    stdin.write('1\n');
    await until(() => text().endsWith('line 5000\nline 1\n'));
    const wanted = Array.from({ length: 5000 }, (_, index) => `line ${index + 1}\n`).join('');
    assert.equal(text(), `${wanted.repeat(4)}line 1\n`);
    assert.equal(await logText(rig.machine, id), 'line 1\n');
    const files = readdirSync(dirname(path)).filter((name) => name !== '0.log');
    assert.deepEqual(
      files.map((name) => name.replace(/\d{8}-\d{6}/, 'STAMP')),
      ['0.log.STAMP.gz', '0.log.STAMP'],
    );
    await rig.machine.signalContainer(id, 'SIGKILL');
    await following;
    await rig.machine.removeContainer(id, { log: 'remove' });
    assert.deepEqual(readdirSync(dirname(path)), []);
    await rig.machine.removePod(pod.uid);
  });

  test('exec: output, error, input, exit code, the container’s own environment and user', async () => {
    const pod = await startPod('exec');
    const env = [{ name: 'WORD', value: 'inside' }];
    const id = await start(pod, 'exec sleep 100', { env, ...security({ runAsUser: 1000 }) });
    const [stdout, stderr, stdin] = [sink(), sink(), new PassThrough()];
    const script = 'echo $WORD; id -u; cat; echo oops >&2; exit 9';
    const options = {
      command: ['sh', '-c', script],
      tty: false,
      stdin,
      stdout: stdout.stream,
      stderr: stderr.stream,
    };
    const process = await rig.machine.exec(id, { ...options, signal: never() });
    stdin.end('typed\n');
    assert.equal(await process.exitCode, 9);
    assert.deepEqual([stdout.text(), stderr.text()], ['inside\n1000\ntyped\n', 'oops\n']);
    const missing = sink();
    const absent = await rig.machine.exec(id, {
      command: ['nosuch'],
      tty: false,
      stdout: missing.stream,
      signal: never(),
    });
    assert.equal(await absent.exitCode, 127);
    assert.match(missing.text(), /nosuch/);
    await rig.machine.removePod(pod.uid);
  });

  test('exec with a terminal: it is one, it can be resized, it ends', async () => {
    const pod = await startPod('terminal');
    const id = await start(pod, 'exec sleep 100');
    const [stdout, stdin] = [sink(), new PassThrough()];
    const command = ['sh', '-c', 'test -t 0 && echo terminal; read word; stty size; exit 5'];
    const process = await rig.machine.exec(id, {
      command,
      tty: true,
      stdin,
      stdout: stdout.stream,
      signal: never(),
    });
    await stdout.until('terminal');
    process.resize({ columns: 99, rows: 33 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    stdin.write('go\n');
    assert.equal(await process.exitCode, 5);
    assert.match(stdout.text(), /33 99/);
    await rig.machine.removePod(pod.uid);
  });

  test('exec: an abort ends the process inside', async () => {
    const pod = await startPod('abort');
    const id = await start(pod, 'exec sleep 100');
    const abort = new AbortController();
    const stdout = sink();
    const command = ['sh', '-c', 'echo up; exec sleep 4321'];
    const process = await rig.machine.exec(id, {
      command,
      tty: false,
      stdout: stdout.stream,
      signal: abort.signal,
    });
    await stdout.until('up');
    abort.abort(new Error('enough'));
    await assert.rejects(process.exitCode, /enough/);
    const list = sink();
    const look = await rig.machine.exec(id, {
      command: ['ps'],
      tty: false,
      stdout: list.stream,
      signal: never(),
    });
    await look.exitCode;
    assert.doesNotMatch(list.text(), /4321/);
    await rig.machine.removePod(pod.uid);
  });

  test('no descriptor of the engine is in the monitor or the container', async () => {
    const pod = await startPod('descriptors');
    const id = await start(pod, 'ls -l /proc/self/fd; exec sleep 100');
    const monitor = readdirFds(conmonPid(pod)).filter(
      (target) => target.startsWith('/') && !isMonitors(target, pod),
    );
    assert.deepEqual(monitor, []);
    await rig.machine.signalContainer(id, 'SIGKILL');
    await exit(rig.machine, pod, id);
    const listed = (await logText(rig.machine, id)).matchAll(/(\d+) -> /g);
    // ls has one more, the directory it lists.
    assert.ok([...listed].every((one) => Number(one[1]) <= 3));
    await rig.machine.removePod(pod.uid);
  });

  const isMonitors = (target: string, pod: PodIdentity): boolean =>
    target === '/dev/null' ||
    target.startsWith(containerDir(rig.dirs, { uid: pod.uid, name: 'main', attempt: 0 })) ||
    target.startsWith(rig.dirs.logDir) ||
    target.startsWith('/sys/fs/cgroup/') ||
    target.startsWith('/proc/');

  test('the clock was set back while no engine ran: what has ended ended by now', async () => {
    const pod = await startPod('future');
    const id = await start(pod, 'exit 3');
    const { finishedAtMs } = await exit(rig.machine, pod, id);
    const instance = { uid: pod.uid, name: 'main', attempt: 0 };
    const file = join(containerDir(rig.dirs, instance), 'record.json');
    const record = JSON.parse(readFileSync(file, 'utf8')) as ContainerRecord;
    writeFileSync(
      file,
      JSON.stringify({ ...record, exit: { ...record.exit, finishedAtMs: finishedAtMs + 3_600_000 } }),
    );
    await rig.crash();
    const after = await exit(rig.machine, pod, id);
    assert.ok(after.finishedAtMs < finishedAtMs + 600_000, `${after.finishedAtMs - finishedAtMs} ms later`);
    assert.equal(after.exitCode, 3);
    await rig.machine.removePod(pod.uid);
  });

  test('a creation that is cut off is incomplete for the next engine and can be removed', async () => {
    const pod = await startPod('cut');
    const abort = new AbortController();
    const command = ['sleep', '100'];
    const config = containerConfig(pod, { name: 'main', imageId: rig.imageId, command });
    // The engine's death between the record and the answer: the creation is never awaited before the crash.
    const creating = rig.machine.createContainer(config, abort.signal).catch(() => {});
    await eventually(rig.machine, 'the record is there', () => rig.machine.observe(pod.uid).containers[0]);
    assert.equal(rig.machine.observe(pod.uid).containers[0]?.state.kind, 'incomplete');
    await rig.crash();
    assert.ok(
      ['incomplete', 'created'].includes(rig.machine.observe(pod.uid).containers[0]?.state.kind ?? 'none'),
    );
    await creating;
    await rig.machine.removePod(pod.uid);
    assert.deepEqual(rig.traces(), []);
  });

  test('close lets go of every descriptor and leaves the pods', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length;
    const other = await makeLinuxRig();
    const pod = podIdentity('kept');
    await other.machine.createSandbox(sandboxConfig(pod), never());
    const config = containerConfig(pod, { name: 'main', imageId: other.imageId, command: ['sleep', '100'] });
    const id = await other.machine.createContainer(config, never());
    await other.machine.startContainer(id);
    const open = count();
    await other.machine.close();
    await new Promise(setImmediate);
    // One of the infra container, one of the monitor.
    assert.equal(count(), open - 2);
    await other.crash();
    assert.equal(observed(other.machine, pod, id).state.kind, 'running');
    await other.end();
  });

  test('two engines on one machine do not see each other', async () => {
    const other = await makeLinuxRig();
    const pod = await startPod('mine');
    const id = await start(pod, 'exec sleep 100');
    assert.deepEqual(other.machine.observe(pod.uid).containers, []);
    assert.ok(!other.machine.pods().some((one) => one.uid === pod.uid));
    await other.end();
    assert.equal(observed(rig.machine, pod, id).state.kind, 'running');
    assert.notEqual(runtimeRoot(other.dirs), runtimeRoot(rig.dirs));
    await rig.machine.removePod(pod.uid);
  });
});

function readdirFds(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}

/** A zombie, which waits for the machine's init, has no command line. */
function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}
