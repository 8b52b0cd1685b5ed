// Whether the OCI runtime and the kernel make a bind mount read-only with everything mounted below it ("rro", KEP-3857):
// mount_setattr(2), which is Linux 5.12; runc tells by `features`, crun has it since 1.4 and tells since 1.9.
import { release } from 'node:os';
import { runProgram } from '../system/spawn.ts';
import type { Runtime } from './runtime.ts';

const KERNEL_MIN = [5, 12] as const;
const CRUN_MIN = [1, 4] as const;

const known = new Map<string, Promise<boolean>>();

/** Asked of each program once. */
export function hasRecursiveReadOnly(runtime: Runtime): Promise<boolean> {
  const asked = known.get(runtime.path) ?? ask(runtime);
  known.set(runtime.path, asked);
  return asked;
}

async function ask({ name, path }: Runtime): Promise<boolean> {
  if (!isAtLeast(release(), KERNEL_MIN)) return false;
  const features = await runProgram(path, ['features']);
  if (features.exitCode === 0) return features.stdout.includes('"rro"');
  const { stdout } = await runProgram(path, ['--version']);
  return name === 'crun' && isAtLeast(stdout.replace(/^crun version /, ''), CRUN_MIN);
}

/** "5.12.3-amd64" against [5, 12]. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, found = 0, more = 0] = /^(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  return found > major || (found === major && more >= minor);
}
