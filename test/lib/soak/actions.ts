// What a soak does to an engine and its pods, one entry an action. Each draws its victim by chance from what there is;
// none knows a promise: those are looked at elsewhere, all along.
import { readdirSync, readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectApi, readKubeconfig } from '../../../src/client/http-client.ts';
import { PODS } from '../../../src/client/resources.ts';
import type { Pod } from '../../../src/kube/api-types.ts';
import type { TestEngine } from '../engine.ts';
import { look, type Seen } from './observer.ts';
import { IMAGES, randomPod, STEADY_LABEL } from './pods.ts';
import type { Random } from './random.ts';

export type Arena = {
  readonly engine: TestEngine;
  readonly random: Random;
  /** A directory of the host that pods mount and nobody may remove. */
  readonly hostDir: string;
  /** Work that ends by itself and is waited for at the end. */
  readonly background: Set<Promise<void>>;
  /** uids of pods that nothing is done to. */
  readonly steady: ReadonlySet<string>;
  nextPod: number;
};

type Action = { readonly weight: number; readonly run: (arena: Arena) => Promise<void> };

const PODS_MAX = 10;

async function livePods({ engine, steady }: Arena): Promise<readonly Pod[]> {
  const { items } = await engine.api.list(PODS, { labelSelector: `!${STEADY_LABEL}` });
  return items.filter(({ metadata }) => !steady.has(metadata?.uid ?? ''));
}

async function somePod(arena: Arena): Promise<Pod | undefined> {
  return arena.random.pick(await livePods(arena));
}

async function removePod(arena: Arena, gracePeriodSeconds: number): Promise<void> {
  const pod = await somePod(arena);
  const { namespace, name = '', uid } = pod?.metadata ?? {};
  if (pod === undefined) return;
  await arena.engine.api.delete(PODS, { namespace, name }, { gracePeriodSeconds, preconditions: { uid } });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A process of a random pod; found in the kernel, so also of one that the engine has not told of yet. */
function victim({ engine, random, steady }: Arena, fits: (seen: Seen) => boolean): Seen | undefined {
  return random.pick(look(engine.instance).filter((seen) => !steady.has(seen.podUid) && fits(seen)));
}

/** Monitors, or runtimes at work, of random pods: by the container's id among their arguments. */
function programs({ engine, steady }: Arena, name: RegExp): readonly number[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const isOurs = name.test(args[0] ?? '') && args.some((word) => word.includes(engine.runDir));
      const isSteady = [...steady].some((uid) => args.some((word) => word.includes(uid)));
      return isOurs && !isSteady ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

/** Stops a process for a while; whatever comes, it goes on or is gone. */
function pause(arena: Arena, pid: number, ms: number): void {
  signal(pid, 'SIGSTOP');
  const resumed = sleep(ms).then(() => signal(pid, 'SIGCONT'));
  track(arena, resumed);
}

function track({ background }: Arena, work: Promise<void>): void {
  const tracked = work.finally(() => background.delete(tracked));
  background.add(tracked);
}

async function runningContainer(
  arena: Arena,
): Promise<{ readonly pod: Pod; readonly container: string } | undefined> {
  const pod = await somePod(arena);
  const running = (pod?.status?.containerStatuses ?? []).filter(({ state }) => state?.running !== undefined);
  const container = arena.random.pick(running)?.name;
  return pod === undefined || container === undefined ? undefined : { pod, container };
}

async function execOnce(arena: Arena, command: readonly string[], abortMs: number): Promise<void> {
  const found = await runningContainer(arena);
  if (found === undefined) return;
  const { namespace = '', name = '' } = found.pod.metadata ?? {};
  const stdout = new PassThrough().resume();
  const signal = AbortSignal.timeout(abortMs);
  const { node } = connectApi(readKubeconfig(arena.engine.kubeconfig));
  const target = { namespace, pod: name, container: found.container };
  const session = node.exec({ ...target, command, tty: false, stdout, signal });
  // Its container, or the engine, may end in the middle.
  track(
    arena,
    session
      .then(({ exitCode }) => exitCode)
      .then(
        () => {},
        () => {},
      ),
  );
}

async function followLog(arena: Arena): Promise<void> {
  const found = await runningContainer(arena);
  if (found === undefined) return;
  const { namespace = '', name = '' } = found.pod.metadata ?? {};
  const { node } = connectApi(readKubeconfig(arena.engine.kubeconfig));
  const signal = AbortSignal.timeout(arena.random.integer(100, 5000));
  const target = { namespace, pod: name, container: found.container };
  const followed = node
    .logs(target, { follow: true, previous: false, timestamps: false }, signal)
    .then(async (lines) => {
      for await (const _ of lines);
    });
  track(
    arena,
    followed.catch(() => {}),
  );
}

export const ACTIONS = {
  create: {
    weight: 24,
    run: async (arena) => {
      if ((await livePods(arena)).length >= PODS_MAX) return removePod(arena, 1);
      arena.nextPod += 1;
      await arena.engine.api.create(PODS, randomPod(arena.random, `soak-${arena.nextPod}`, arena.hostDir));
    },
  },
  delete: { weight: 8, run: (arena) => removePod(arena, arena.random.integer(1, 3)) },
  'force delete': { weight: 4, run: (arena) => removePod(arena, 0) },
  'update image': {
    weight: 6,
    run: async (arena) => {
      const pod = await somePod(arena);
      const { namespace, name = '' } = pod?.metadata ?? {};
      if (pod === undefined) return;
      const index = arena.random.integer(0, (pod.spec?.containers.length ?? 1) - 1);
      const body = [
        { op: 'replace', path: `/spec/containers/${index}/image`, value: arena.random.pick(IMAGES) },
      ];
      await arena.engine.api.patch(PODS, { namespace, name }, { type: 'application/json-patch+json', body });
    },
  },
  exec: { weight: 8, run: (arena) => execOnce(arena, ['sh', '-c', 'echo hello'], 10_000) },
  'long exec': {
    weight: 4,
    run: (arena) => execOnce(arena, ['sleep', '30'], arena.random.integer(50, 3000)),
  },
  'follow log': { weight: 5, run: followLog },
  'kill process': {
    weight: 6,
    run: async (arena) => {
      const found = victim(arena, ({ container }) => container !== undefined);
      if (found !== undefined) signal(found.pid, 'SIGKILL');
    },
  },
  'kill infra container': {
    weight: 3,
    run: async (arena) => {
      const found = victim(arena, ({ command }) => command === '/pause');
      if (found !== undefined) signal(found.pid, 'SIGKILL');
    },
  },
  'kill monitor': {
    weight: 3,
    run: async (arena) => {
      const pid = arena.random.pick(programs(arena, /conmon$/));
      if (pid !== undefined) signal(pid, 'SIGKILL');
    },
  },
  'kill runtime': {
    weight: 3,
    run: async (arena) => {
      const pid = arena.random.pick(programs(arena, /(crun|runc)$/));
      if (pid !== undefined) signal(pid, 'SIGKILL');
    },
  },
  'stop monitor': {
    weight: 2,
    run: async (arena) => {
      const pid = arena.random.pick(programs(arena, /conmon$/));
      if (pid !== undefined) pause(arena, pid, arena.random.integer(100, 4000));
    },
  },
  'stop process': {
    weight: 3,
    run: async (arena) => {
      const found = victim(arena, ({ container }) => container !== undefined);
      if (found !== undefined) pause(arena, found.pid, arena.random.integer(100, 4000));
    },
  },
  'stop engine': {
    weight: 2,
    run: async ({ engine, random }) => {
      signal(engine.pid, 'SIGSTOP');
      await sleep(random.integer(50, 1500));
      signal(engine.pid, 'SIGCONT');
    },
  },
  'kill engine': {
    weight: 4,
    run: async ({ engine, random }) => {
      await engine.kill();
      await sleep(random.integer(0, 1500));
      // Now and then again in the middle of its start.
      if (random.chance(30)) {
        const started = engine.start().catch(() => {});
        await sleep(random.integer(50, 1200));
        await engine.kill();
        await started;
      }
      await engine.start();
    },
  },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;

/** By weight. */
export function drawAction(random: Random): ActionName {
  const names = Object.keys(ACTIONS) as ActionName[];
  const total = names.reduce((sum, name) => sum + ACTIONS[name].weight, 0);
  let left = random.next() * total;
  for (const name of names) {
    left -= ACTIONS[name].weight;
    if (left < 0) return name;
  }
  return 'create';
}
