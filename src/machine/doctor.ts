// What this machine has and lacks for running pods, found out by trying wherever that is possible. It changes nothing:
// what a trial makes is gone when it returns.
import type { Finding } from './doctor/finding.ts';
import {
  examineCapabilities,
  examineCgroups,
  examineForwarding,
  examineKernel,
  examineNamespaces,
  examineRoot,
  examineSeccomp,
} from './doctor/kernel.ts';
import { examineNode, examinePrograms } from './doctor/programs.ts';
import { examineRuntimes } from './doctor/runtimes.ts';
import { examineDisk, examineOverlay } from './doctor/storage.ts';
import type { MachineDirs } from './layout.ts';

export type { Finding } from './doctor/finding.ts';

export type DoctorOptions = { readonly dirs: MachineDirs; readonly pluginDirs: readonly string[] };

/** In the order a reader wants them: who asks, the kernel, then the programs. Never throws for what it finds. */
export async function examineMachine({ dirs, pluginDirs }: DoctorOptions): Promise<readonly Finding[]> {
  const found = await Promise.all([
    examineRoot(),
    examineNode(),
    examineKernel(),
    examineCgroups(),
    examineNamespaces(),
    examineSeccomp(),
    examineCapabilities(),
    examineForwarding(),
    examineOverlay(dirs.dataDir),
    examineDisk(dirs.dataDir),
    examineRuntimes(),
    examinePrograms(pluginDirs),
  ]);
  return found.flat();
}
