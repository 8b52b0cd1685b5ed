// What kubectl logs and exec meet at the node: the right instance, and the kubelet's words where there is none.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { ContainerTarget, LogOptions } from '../../src/client/node-api.ts';
import { container, podOf, World } from './world.ts';

const PLAIN: LogOptions = { follow: false, previous: false, timestamps: false };

async function logs(
  world: World,
  target: Partial<ContainerTarget> = {},
  options: Partial<LogOptions> = {},
): Promise<string> {
  const signal = new AbortController().signal;
  return text(
    await world.agent.nodeApi.logs(
      { namespace: 'default', pod: 'p', ...target },
      { ...PLAIN, ...options },
      signal,
    ),
  );
}

test('logs of the only container, and of its previous instance', async () => {
  const world = new World({
    behaviour: (_name, attempt) => (attempt === 0 ? { runMs: 10, exitCode: 1 } : {}),
  });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(1000);
  assert.equal(await logs(world), 'log of uid-p_a_1\n');
  assert.equal(await logs(world, {}, { previous: true }), 'log of uid-p_a_0\n');
  await world.stop();
});

test('errors in the kubelet’s words', async () => {
  const world = new World({ registryHas: (reference) => reference !== 'nope:1' });
  await world.start();
  await world.create(
    podOf({
      initContainers: [container('i')],
      containers: [container('a'), container('b', { image: 'nope:1' })],
    }),
  );
  await world.clock.advance(1000);
  const fails = (
    target: Partial<ContainerTarget>,
    message: string,
    options: Partial<LogOptions> = {},
  ): Promise<void> => assert.rejects(logs(world, target, options), { message });
  await fails({ pod: 'q' }, 'pods "q" not found');
  await fails(
    {},
    'a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]',
  );
  await fails({ container: 'c' }, 'container c is not valid for pod p');
  await fails({ container: 'a' }, 'container "a" in pod "p" is waiting to start: PodInitializing');
  await fails({ container: 'i' }, 'previous terminated container "i" in pod "p" not found', {
    previous: true,
  });
  await world.stop();
});

test('the default-container annotation chooses', async () => {
  const world = new World();
  await world.start();
  const annotations = { 'kubectl.kubernetes.io/default-container': 'b' };
  await world.create(podOf({ containers: [container('a'), container('b')] }, { annotations }));
  await world.clock.advance(1000);
  assert.equal(await logs(world), 'log of uid-p_b_0\n');
  await world.stop();
});
