// Which OCI runtime works here, and why another does not: each creates a container and deletes it again, as the engine
// itself does before it takes one.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { podUid } from '../../base/brand.ts';
import { errorText, isPodwrightError } from '../../base/errors.ts';
import { createCgroups } from '../cgroups/cgroups.ts';
import { cgroupLayout } from '../cgroups/layout.ts';
import type { SandboxConfig } from '../model/sandbox.ts';
import { availableCapabilities } from '../runtime/capabilities.ts';
import { infraSpec } from '../runtime/oci-spec.ts';
import { chooseRuntime, type RuntimeName } from '../runtime/runtime.ts';
import { findProgram, runProgram } from '../system/spawn.ts';
import type { Finding } from './finding.ts';

const PROBE: SandboxConfig = {
  pod: { uid: podUid('doctor'), namespace: '', name: 'doctor' },
  attempt: 0,
  hostname: 'doctor',
  namespaces: { network: 'pod', ipc: 'pod', pid: 'pod' },
  portMappings: [],
  dns: 'node',
  hostAliases: [],
  sysctls: {},
  qosClass: 'BestEffort',
  podResources: {},
};

/** Throws RuntimeRefused with the runtime's words. */
async function tryRuntime(wanted: RuntimeName, dir: string): Promise<void> {
  const parent = `podwright-doctor-${process.pid}`;
  const rootfs = join(dir, 'rootfs');
  for (const name of ['dev', 'proc', 'sys']) await mkdir(join(rootfs, name), { recursive: true });
  // Never runs, but runc looks for it when it creates.
  await writeFile(join(rootfs, 'probe'), '');
  await chmod(join(rootfs, 'probe'), 0o755);
  const facts = {
    cgroupVersion: cgroupLayout().version,
    capabilities: availableCapabilities(),
    oomScoreAdj: 0,
    devices: [],
  };
  const cgroupsPath = `/${parent}/probe`;
  try {
    await chooseRuntime({
      root: join(dir, 'state'),
      wanted,
      probeDir: join(dir, 'bundle'),
      probeSpec: infraSpec({ config: PROBE, rootfs, args: ['/probe'], cgroupsPath, facts }),
    });
  } finally {
    const cgroups = createCgroups(parent);
    await cgroups.remove(cgroupsPath);
    await cgroups.remove(`/${parent}`);
  }
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await runProgram(program, ['--version']);
  return (stdout.split('\n')[0] ?? '').replace(/^(crun|runc) version /, '');
}

type Trial = {
  readonly name: RuntimeName;
  readonly found: string;
  readonly works: boolean;
  readonly isThere: boolean;
};

async function trialOf(name: RuntimeName): Promise<Trial> {
  const dir = await mkdtemp(join(tmpdir(), 'podwright-doctor-'));
  try {
    findProgram(name);
    const version = await versionOf(name);
    try {
      await tryRuntime(name, dir);
      return { name, found: `${version}, works`, works: true, isThere: true };
    } catch (error) {
      const why = errorText(error).replace(/^no OCI runtime works on this machine: /, '');
      return { name, found: `${version}, does not work here: ${why}`, works: false, isThere: true };
    }
  } catch (error) {
    if (!isPodwrightError(error, 'ProgramMissing')) throw error;
    return { name, found: 'not installed', works: false, isThere: false };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function remedyOf({ name, isThere }: Trial, working: Trial | undefined): string {
  if (!isThere)
    return `apt-get install ${name}${name === 'crun' ? ': it starts containers two to three times faster than runc' : ''}`;
  if (working !== undefined) return `the engine takes ${working.name}; see cgroups above`;
  return name === 'crun'
    ? 'apt-get install runc, which may work where crun refuses'
    : 'see user, cgroups, namespaces and capabilities above';
}

export async function examineRuntimes(): Promise<readonly Finding[]> {
  const trials = [await trialOf('crun'), await trialOf('runc')];
  const working = trials.find(({ works }) => works);
  return trials.map((trial): Finding => {
    const topic = `OCI runtime ${trial.name}`;
    if (trial.works) return { topic, state: 'ok', found: trial.found };
    // A second runtime is a choice, not a need.
    if (working?.name === 'crun') return { topic, state: 'ok', found: trial.found };
    const state = working === undefined ? 'missing' : 'warning';
    return { topic, state, found: trial.found, remedy: remedyOf(trial, working) };
  });
}
