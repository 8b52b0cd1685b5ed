// Bad input gives a clear error with the field's path or the remedy: as a Status, or as a waiting reason and an event on
// the pod; the pod beside it is not disturbed.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { BUSYBOX, podOf, shell } from '../lib/manifests.ts';

describe('bad input', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('bystander', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('bystander');
  });
  after(async () => {
    const [status] = (await engine.pod('bystander')).status?.containerStatuses ?? [];
    await engine.close();
    assert.equal(status?.restartCount, 0, 'the pod beside all this was not disturbed');
  });

  const REFUSED: readonly { readonly what: string; readonly pod: unknown; readonly message: RegExp }[] = [
    {
      what: 'an unknown field',
      pod: {
        ...podOf('p', [shell('a', 'true')]),
        spec: { containers: [{ name: 'a', image: BUSYBOX, imagee: 'x' }] },
      },
      message: /unknown field "spec\.containers\[0\]\.imagee"/,
    },
    {
      what: 'a wrong type',
      pod: { ...podOf('p', []), spec: { containers: 'none' } },
      message: /spec\.containers|cannot unmarshal|of type/,
    },
    { what: 'a missing required field', pod: podOf('p', []), message: /spec\.containers: Required value/ },
    {
      what: 'a duplicate name',
      pod: podOf('p', [shell('a', 'true'), shell('a', 'true')]),
      message: /spec\.containers\[1\]\.name: Duplicate value: "a"/,
    },
    {
      what: 'a mount without its volume',
      pod: podOf('p', [shell('a', 'true', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })]),
      message: /spec\.containers\[0\]\.volumeMounts\[0\]\.name: Not found: "v"/,
    },
  ];
  for (const refused of REFUSED) {
    test(`refused by the API: ${refused.what}`, async () => {
      writeFileSync(`${engine.dir}/refused.json`, JSON.stringify(refused.pod));
      const { code, stderr } = await engine.kubectl('create', '-f', `${engine.dir}/refused.json`);
      assert.notEqual(code, 0);
      assert.match(stderr, refused.message);
    });
  }

  const waitingReasons = (pod: Pod): string[] =>
    [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].flatMap(
      ({ state, lastState }) =>
        [state?.waiting?.reason, state?.terminated?.reason, lastState?.terminated?.reason].filter(
          (one) => one !== undefined,
        ),
    );

  const FAILING: readonly {
    readonly what: string;
    readonly pod: Pod;
    readonly reason: string;
    readonly event: RegExp;
  }[] = [
    {
      what: 'an image that does not exist',
      pod: podOf('no-image', [{ name: 'a', image: '127.0.0.1:1/no/such:1' }]),
      reason: 'ErrImagePull',
      event: /Failed to pull image "127\.0\.0\.1:1\/no\/such:1"/,
    },
    {
      what: 'an image that is absent and never pulled',
      pod: podOf('never', [{ name: 'a', image: 'localhost/absent:1', imagePullPolicy: 'Never' }]),
      reason: 'ErrImageNeverPull',
      event: /is not present with pull policy of Never/,
    },
    {
      what: 'a command that does not exist',
      pod: podOf('no-command', [{ name: 'a', image: BUSYBOX, command: ['/no/such/command'] }]),
      reason: 'RunContainerError|StartError|CreateContainerError|CrashLoopBackOff',
      event: /no\/such\/command/,
    },
    {
      what: 'a ConfigMap that does not exist',
      pod: podOf('no-config', [
        shell('a', 'true', {
          env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'absent', key: 'k' } } }],
        }),
      ]),
      reason: 'CreateContainerConfigError',
      event: /configmap "absent" not found/,
    },
    {
      what: 'a hostPath that is absent',
      pod: podOf('no-path', [shell('a', 'true', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })], {
        volumes: [{ name: 'v', hostPath: { path: '/no/such/directory', type: 'Directory' } }],
      }),
      reason: 'ContainerCreating',
      event: /hostPath type check failed: \/no\/such\/directory is not a directory/,
    },
  ];
  for (const failing of FAILING) {
    test(`waits and says why: ${failing.what}`, async () => {
      const name = failing.pod.metadata?.name ?? '';
      await engine.api.create(PODS, failing.pod);
      await eventually(
        `${name} waits with ${failing.reason}`,
        async () =>
          waitingReasons(await engine.pod(name)).some((reason) => new RegExp(failing.reason).test(reason)) ||
          undefined,
      );
      await eventually(
        `${name} has its event`,
        async () => failing.event.test(await engine.kube('describe', 'pod', name)) || undefined,
      );
      await engine.kube('delete', 'pod', name, '--timeout=120s');
    });
  }

  test('waits and says why: a host port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { readonly port: number };
    const ports = [{ containerPort: 80, hostPort: port, hostIP: '127.0.0.1' }];
    await engine.api.create(PODS, podOf('port', [shell('a', 'exec sleep 3600', { ports })]));
    await eventually(
      'the event names the port',
      async () => new RegExp(`${port}`).test(await engine.kube('events', '--for', 'pod/port')) || undefined,
    );
    await new Promise((resolve) => taken.close(resolve));
    await engine.waitReady('port');
  });

  test('a crashing container backs off as the kubelet does', async () => {
    await engine.api.create(PODS, podOf('crash', [shell('a', 'echo falling over; exit 3')]));
    const pod = await eventually('it waits with CrashLoopBackOff', async () => {
      const found = await engine.pod('crash');
      return found.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff'
        ? found
        : undefined;
    });
    const [status] = pod.status?.containerStatuses ?? [];
    assert.match(
      status?.state?.waiting?.message ?? '',
      /^back-off 10s restarting failed container=a pod=crash_default\(/,
    );
    assert.equal(status?.lastState?.terminated?.exitCode, 3);
    assert.equal(await engine.kube('logs', 'crash', '--previous'), 'falling over\n');
  });
});
