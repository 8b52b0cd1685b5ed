// podwright lab: an engine with several nodes on this computer, in directories of its own that go with it. Ctrl-C stops
// every pod, ends the engine and removes whatever it made.
//
// Invariant: only a directory that a lab made is ever removed, and none that holds nodes this lab does not know: their
// pods could no longer be taken away.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PodwrightError } from '../base/errors.ts';
import { errnoOf, readIfExists } from '../base/files.ts';
import { createLog } from '../base/log.ts';
import type { LabOptions } from '../cli/lab.ts';
import { readProfiles } from '../cli/scheduler-config.ts';
import type { MachineDirs } from '../machine/layout.ts';
import { parseRange, subranges } from '../machine/network/address-range.ts';
import { type Engine, startEngine } from './engine.ts';
import type { NodeOptions } from './node.ts';

type Lab = MachineDirs & { readonly dir: string };

/** The run directory is where such things belong, /run; its name follows from the lab's. */
function labOf(dir: string): Lab {
  const path = resolve(dir);
  const hash = createHash('sha256').update(path).digest('hex').slice(0, 8);
  return {
    dir: path,
    dataDir: join(path, 'data'),
    logDir: join(path, 'log'),
    runDir: `/run/podwright-lab-${hash}`,
  };
}

const markOf = ({ dir }: Lab): string => join(dir, 'lab.json');

/** Throws Conflict where something else lies, or what an earlier lab with other nodes left. */
async function takeDirectory(lab: Lab, names: readonly string[]): Promise<void> {
  const mark = await readIfExists(markOf(lab));
  const present = await readdir(lab.dir).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  if (mark === undefined && present.length > 0)
    throw new PodwrightError('Conflict', `start a lab in ${lab.dir}: it is not empty, and no lab made it`);
  const left = mark === undefined ? [] : (JSON.parse(mark) as { nodes: readonly string[] }).nodes;
  if (left.some((name) => !names.includes(name))) {
    const remedy = `start it with these nodes once more and end it with Ctrl-C, or give --dir`;
    throw new PodwrightError(
      'Conflict',
      `a lab in ${lab.dir} was left with the nodes ${left.join(', ')}: ${remedy}`,
    );
  }
  await mkdir(lab.dir, { recursive: true, mode: 0o700 });
  await writeFile(markOf(lab), JSON.stringify({ nodes: names }));
}

function nodesOf(lab: Lab, { nodes, podCidr }: LabOptions): readonly NodeOptions[] {
  const ranges = subranges(podCidr, nodes.length);
  return nodes.map((node, index) => {
    const range = ranges[index] ?? podCidr;
    const below = (dir: string): string => join(dir, 'nodes', node.name);
    const dirs = { dataDir: below(lab.dataDir), runDir: below(lab.runDir), logDir: below(lab.logDir) };
    return { ...node, dirs, podCidr: range, address: parseRange(range).gateway };
  });
}

async function describe(lab: Lab, engine: Engine, nodes: readonly NodeOptions[]): Promise<string> {
  const lines = nodes.map(({ name, podCidr, capacity = {}, labels = {}, taints = [] }) => {
    const words = [
      ...Object.entries(capacity).map(([resource, amount]) => `${resource}=${amount}`),
      ...Object.entries(labels).map(([key, value]) => `label:${key}=${value}`),
      ...taints.map(
        ({ key, value, effect }) => `taint:${key}${value === undefined ? '' : `=${value}`}:${effect}`,
      ),
    ];
    return `node ${name}: ${words.join(' ')} pods in ${podCidr}`;
  });
  const dirs = `PODWRIGHT_DATA_DIR=${lab.dataDir} PODWRIGHT_RUN_DIR=${lab.runDir} PODWRIGHT_LOG_DIR=${lab.logDir}`;
  return [`ready ${engine.url}`, ...lines, `export KUBECONFIG=${engine.kubeconfigPath} ${dirs}`, ''].join(
    '\n',
  );
}

async function loadImages({ images }: Engine, files: readonly string[], signal: AbortSignal): Promise<void> {
  for (const file of files) {
    process.stdout.write(`loading ${file}\n`);
    await images.load(file, { signal });
  }
}

/** Runs until SIGINT or SIGTERM, which also end a start that is still going on. */
export async function runLab(options: LabOptions): Promise<void> {
  const asked = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.abort());
  const lab = labOf(options.dir);
  const nodes = nodesOf(lab, options);
  const profiles = await readProfiles(options.schedulerConfig);
  await takeDirectory(
    lab,
    options.nodes.map(({ name }) => name),
  );
  const { listen, podCidr: clusterCidr, runtime } = options;
  const engine = await startEngine({
    profiles,
    ...lab,
    listen,
    nodes,
    clusterCidr,
    runtime,
    // A lab shows where pods go, not how soon.
    warmSandboxes: 0,
    log: createLog({ level: 'warn' }),
  });
  try {
    await loadImages(engine, options.images, asked.signal);
    process.stdout.write(await describe(lab, engine, nodes));
    if (!asked.signal.aborted) await once(asked.signal, 'abort');
  } catch (error) {
    if (!asked.signal.aborted) throw error;
  } finally {
    await engine.purge();
    await engine.stop();
    for (const dir of [lab.runDir, lab.dir]) await rm(dir, { recursive: true, force: true });
  }
}
