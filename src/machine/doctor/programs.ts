// The programs the engine stands on: there, which version, and whether those that ask the kernel get an answer.
import { errorText, isPodwrightError } from '../../base/errors.ts';
import { findPlugin } from '../network/cni-config.ts';
import { runProgram, runProgramChecked } from '../system/spawn.ts';
import type { Finding } from './finding.ts';

/** Newest major Podwright is not written for is fine; older than this cannot run it. */
const NODE_MAJOR_MIN = 24;

export function examineNode(version: string = process.version): Finding {
  const major = Number(/^v(\d+)/.exec(version)?.[1]);
  if (major >= NODE_MAJOR_MIN) return { topic: 'Node.js', state: 'ok', found: version };
  return {
    topic: 'Node.js',
    state: 'missing',
    found: version,
    remedy: `Node.js ${NODE_MAJOR_MIN} or newer; npm run setup brings one`,
  };
}

type Program = {
  readonly name: string;
  readonly debianPackage: string;
  readonly for: string;
  /** What only some users need is no more than a warning when it is missing. */
  readonly absence: 'missing' | 'warning';
  /** Arguments that ask for the version. */
  readonly version: readonly string[];
  /** Arguments that make it ask the kernel for something harmless. */
  readonly trial?: readonly string[];
};

const PROGRAMS: readonly Program[] = [
  {
    name: 'conmon',
    debianPackage: 'conmon',
    for: 'containers that outlive the engine',
    absence: 'missing',
    version: ['--version'],
  },
  { name: 'skopeo', debianPackage: 'skopeo', for: 'images', absence: 'missing', version: ['--version'] },
  {
    name: 'nft',
    debianPackage: 'nftables',
    for: 'pods that reach other machines',
    absence: 'missing',
    version: ['--version'],
    trial: ['list', 'tables'],
  },
  {
    name: 'iptables',
    debianPackage: 'iptables',
    for: 'host ports',
    absence: 'missing',
    version: ['--version'],
    trial: ['-w', '-t', 'nat', '-S'],
  },
  {
    name: 'ip',
    debianPackage: 'iproute2',
    for: "removing the pods' bridge",
    absence: 'missing',
    version: ['-V'],
  },
  {
    name: 'kubectl',
    debianPackage: 'kubernetes-client',
    for: 'those who want it; podwright ps, logs and exec do without',
    absence: 'warning',
    version: ['version', '--client'],
  },
];

/** "conmon version 2.1.6", "nftables v1.0.6 (...)": the first thing that looks like a version. */
const versionIn = (text: string): string => /v?\d+(\.\d+)+[\w.+-]*/.exec(text)?.[0] ?? 'installed';

async function examineProgram(program: Program): Promise<Finding> {
  const topic = program.name;
  try {
    const { stdout, stderr } = await runProgram(program.name, program.version);
    const found = versionIn(stdout || stderr);
    if (program.trial === undefined) return { topic, state: 'ok', found };
    try {
      await runProgramChecked(program.name, program.trial);
      return { topic, state: 'ok', found: `${found}, works` };
    } catch (error) {
      const remedy = 'as root, on a kernel with nftables (modprobe nf_tables)';
      return { topic, state: program.absence, found: `${found}, does not work: ${errorText(error)}`, remedy };
    }
  } catch (error) {
    if (!isPodwrightError(error, 'ProgramMissing')) throw error;
    return {
      topic,
      state: program.absence,
      found: 'not installed',
      remedy: `apt-get install ${program.debianPackage}: for ${program.for}`,
    };
  }
}

const CNI_PLUGINS = ['loopback', 'bridge', 'host-local', 'portmap'];

async function examineCniPlugins(pluginDirs: readonly string[]): Promise<Finding> {
  const topic = 'CNI plug-ins';
  const paths = await Promise.all(CNI_PLUGINS.map((name) => findPlugin(name, pluginDirs)));
  const lacking = CNI_PLUGINS.filter((_, index) => paths[index] === undefined);
  if (lacking.length > 0) {
    const found = `without ${lacking.join(', ')} in ${pluginDirs.join(', ')}`;
    const remedy =
      "apt-get install containernetworking-plugins: for --cni-conf-dir; the engine's own network needs none";
    return { topic, state: 'warning', found, remedy };
  }
  const { stdout } = await runProgram(paths[1] ?? '', [], {
    env: { CNI_COMMAND: 'VERSION' },
    stdin: '{"cniVersion":"1.0.0"}',
  });
  const versions =
    (JSON.parse(stdout) as { readonly supportedVersions?: readonly string[] }).supportedVersions ?? [];
  return { topic, state: 'ok', found: `${CNI_PLUGINS.join(' ')} (specification up to ${versions.at(-1)})` };
}

export async function examinePrograms(pluginDirs: readonly string[]): Promise<readonly Finding[]> {
  return Promise.all([...PROGRAMS.map(examineProgram), examineCniPlugins(pluginDirs)]);
}
