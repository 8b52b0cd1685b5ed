// Each program the engine stands on does it harm once: hangs, fails, dies, lies, does half. It costs its own pod some
// seconds; the pod beside it starts at once, both come up whole, and nothing is left.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { type Fault, FaultyPrograms } from '../lib/faulty-programs.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { freePort } from '../lib/ports.ts';
import { processesOf } from '../lib/processes.ts';

/** The engine's bound for a program in this test: a hung one is given up then. */
const TIMEOUT_SECONDS = 6;

type Case = readonly [program: string, fault: Fault, match?: string];

const INFRA = ' (create|run) .*/sandboxes/';
const CONTAINER = ' create .*/containers/';
const START = ' start ';
const CASES: readonly Case[] = [
  ['runc', 'hang', INFRA],
  ['runc', 'half', INFRA],
  ['runc', 'hang', CONTAINER],
  ['runc', 'lie', CONTAINER],
  ['runc', 'fail', START],
  ['runc', 'linger', START],
  ['conmon', 'hang'],
  ['conmon', 'half'],
  ['nft', 'hang'],
  ['nft', 'lie'],
];
const MORE_CASES: readonly Case[] = [
  ['runc', 'die', INFRA],
  ['runc', 'lie', INFRA],
  ['runc', 'linger', INFRA],
  ['runc', 'half', CONTAINER],
  ['runc', 'hang', START],
  ['conmon', 'die'],
  ['conmon', 'delay'],
  ['nft', 'fail'],
];
/** PODWRIGHT_RUNS=2 and more takes all of them. */
const cases = Number(process.env.PODWRIGHT_RUNS ?? 1) > 1 ? [...CASES, ...MORE_CASES] : CASES;

describe('a program that stands between the engine and the kernel', () => {
  const programs = new FaultyPrograms(['runc', 'conmon', 'nft']);
  const engine = new TestEngine({
    // A warm sandbox would spare a pod the fault.
    arguments: ['--runtime=runc', '--warm-sandboxes=0'],
    env: {
      PODWRIGHT_PROGRAM_PATH: programs.path,
      PODWRIGHT_PROGRAM_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS),
    },
  });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(async () => {
    await engine.close();
    programs.close();
  });

  const isReady = (pod: Pod): boolean =>
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  const ready = async (names: readonly string[]): Promise<readonly Pod[]> =>
    (await Promise.all(names.map((name) => engine.pod(name)))).filter(isReady);

  for (const [index, [program, fault, match = '.*']] of cases.entries()) {
    test(`${program}${match === '.*' ? '' : match}: ${fault}`, async () => {
      const names = [`first-${index}`, `second-${index}`];
      programs.arm(program, fault, match);
      for (const name of names) {
        // nft is called for host ports alone.
        const ports = [{ containerPort: 80, hostPort: await freePort() }];
        const app = shell('app', 'exec sleep 3600', program === 'nft' ? { ports } : {});
        await engine.api.create(PODS, podOf(name, [app]));
      }
      await eventually('one of them is ready', async () =>
        (await ready(names)).length > 0 ? true : undefined,
      );
      if (fault === 'hang' || fault === 'linger')
        assert.ok(programs.isHanging(), 'the neighbour did not wait for the hung program');
      const pods = await eventually('both are ready', async () => {
        const found = await ready(names);
        return found.length === 2 ? found : undefined;
      });
      assert.ok(programs.wasUsed(program), 'the fault was met');
      for (const pod of pods) {
        const commands = processesOf(pod.metadata?.uid ?? '').map(({ command }) => command);
        assert.deepEqual(commands.sort(), ['/pause', 'sleep 3600'], pod.metadata?.name ?? '');
      }
      await engine.kube('delete', 'pods', ...names, '--grace-period=1', '--timeout=120s');
    });
  }
});
