// What lies under this engine's own names and belongs to no pod it knows: leftovers of a crash that no undo reached, or
// of records that somebody removed. Swept at the engine's start and from time to time, so that nothing adds up.
//
// Invariant: only what bears this engine's names (its cgroup parent, its directories) and a pod's uid or a warm sandbox' id
// is looked at; a foreign cgroup, process, file or mount is never touched. Directories of pods need no sweep: each makes a
// record.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../base/bounds.ts';
import { errorText } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import { podLogsDir, runtimeRoot, warmDir, warmDirs } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import { forgetContainer, PROBE_ID } from './runtime/runtime.ts';
import { sandboxIdOf } from './sandbox-steps.ts';
import { killAndWait } from './system/processes.ts';
import type { WarmSandboxes } from './warm-sandboxes.ts';

/** Of a pod, and of a warm sandbox. */
const OWNER =
  /^(?:pods\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|warm\/(warm-[0-9a-f]{8}))/;

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Monitors and runtimes at work below the run directory, by the uid of the pod (or warm sandbox) they work for. */
async function programsOf(
  runDir: string,
): Promise<readonly { readonly pid: number; readonly uid: string }[]> {
  const below = `${runDir}/`;
  const found = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // It may be gone by now.
    const [program = '', ...args] = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split(
      '\0',
    );
    if (!/(^|\/)(conmon|crun|runc)$/.test(program)) continue;
    const path = args.flatMap((word) => word.split('=')).find((word) => word.startsWith(below)) ?? '';
    const [, pod, warm] = OWNER.exec(path.slice(below.length)) ?? [];
    const uid = pod ?? warm;
    if (uid !== undefined) found.push({ pid: Number(name), uid });
  }
  return found;
}

const uidOf = (id: string): string => id.slice(0, id.indexOf('_'));

type Leftover = { readonly what: string; readonly remove: () => Promise<void> };

/** Looked up first and compared with the records after: what is begun meanwhile has its record already. */
async function leftovers(
  { dirs, runtime, cgroups, records }: MachineContext,
  warmIds: () => readonly string[],
): Promise<readonly Leftover[]> {
  const [programs, states, logs, warm] = await Promise.all([
    programsOf(dirs.runDir),
    namesIn(runtimeRoot(dirs)),
    namesIn(podLogsDir(dirs)),
    namesIn(warmDirs(dirs)),
  ]);
  const groups = cgroups.owned();
  const known = new Set<string>([...records.pods().map((pod) => pod.identity.uid), ...warmIds().map(uidOf)]);
  const unknown = ({ uid }: { readonly uid: string }): boolean => !known.has(uid);
  return [
    ...programs
      .filter(unknown)
      .map(({ pid }) => ({ what: `process ${pid}`, remove: () => killAndWait([pid]) })),
    ...groups
      .filter(unknown)
      .map(({ path }) => ({ what: `cgroup ${path}`, remove: () => cgroups.remove(path) })),
    ...states
      .map((id) => ({ id, uid: uidOf(id) }))
      .filter(({ id, uid }) => id !== PROBE_ID && !known.has(uid))
      .map(({ id }) => ({ what: `container ${id}`, remove: () => forgetContainer(runtime, id) })),
    ...warm
      .map((id) => ({ id, uid: uidOf(id) }))
      .filter(unknown)
      .map(({ id }) => ({
        what: `warm sandbox ${id}`,
        remove: () => rm(warmDir(dirs, id), { recursive: true, force: true }),
      })),
    ...logs
      .map((name) => ({ name, uid: name.slice(name.lastIndexOf('_') + 1) }))
      .filter(unknown)
      .map(({ name }) => ({
        what: `log ${name}`,
        remove: () => rm(join(podLogsDir(dirs), name), { recursive: true, force: true }),
      })),
  ];
}

/** Ids of the sandboxes that may hold an address. */
function sandboxIds({ records }: MachineContext): readonly string[] {
  const all = records.pods().flatMap((pod) => [...pod.sandboxes.values()]);
  return all.map(({ config }) => sandboxIdOf(config.pod.uid, config.attempt));
}

/** Never throws: what cannot be removed is said, and tried again the next time. */
export async function sweep(
  machine: MachineContext,
  warmIds: () => readonly string[] = () => [],
): Promise<void> {
  const { log, network } = machine;
  try {
    for (const { what, remove } of await leftovers(machine, warmIds)) {
      log.warn('removing what belongs to no pod', { what });
      await remove().catch((error: unknown) => log.warn(errorText(error), { what }));
    }
    await network.retain(new Set([...sandboxIds(machine), ...warmIds()]));
  } catch (error) {
    log.warn('look for what belongs to no pod', { error: errorText(error) });
  }
}

/** Sweeps now and then, until the returned undo was awaited. */
export function keepSwept(machine: MachineContext, warm: WarmSandboxes): () => Promise<void> {
  const { clock } = machine;
  let working = Promise.resolve();
  let cancel: () => void;
  const arm = (): void => {
    cancel = clock.at(clock.nowMs() + BOUNDS.sweepMs, () => {
      working = sweep(machine, warm.ids).then(warm.tend);
      arm();
    });
  };
  arm();
  return async () => {
    cancel();
    await working;
  };
}
