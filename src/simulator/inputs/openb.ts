// The openb trace of Alibaba's GPU cluster (clusterdata, cluster-trace-gpu-v2023): nodes and tasks as two CSV files.
// A task becomes an application; a GPU is 1000 of the extended resource nvidia.com/gpu-milli, so that shares add up per
// node and not per device: fragmentation inside one GPU is not simulated.
import { basename } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';
import type { Container, Node, Pod } from '../../kube/api-types.ts';
import { type App, type Shape, Shapes, type Workload } from '../workload.ts';
import { csvRows, type Row, uniqueNames } from './csv.ts';

export type OpenbFile = { readonly path: string; readonly content: string };

export type OpenbOptions = {
  readonly nodes: OpenbFile;
  readonly tasks: OpenbFile;
  /** Containers a task is cut into: the first keeps the GPUs and half of cpu and memory, the others share the rest. */
  readonly containers: number;
  /** Every so manieth node is used: 1 all, 10 a tenth. */
  readonly everyNode: number;
  /** Arrivals come so many times as fast; durations stay. */
  readonly speedup: number;
};

const NODE_COLUMNS = ['sn', 'cpu_milli', 'memory_mib', 'gpu', 'model'];
const TASK_COLUMNS = [
  'name',
  'cpu_milli',
  'memory_mib',
  'num_gpu',
  'gpu_milli',
  'gpu_spec',
  'creation_time',
  'deletion_time',
  'scheduled_time',
];
export const GPU_MODEL_LABEL = 'nvidia.com/gpu.product';
const GPU = 'nvidia.com/gpu-milli';
const MIB = 1024 * 1024;

function nodeOf(row: Row): Node {
  const name = row.text('sn');
  const model = row.text('model');
  const gpus = row.amount('gpu');
  return {
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, ...(model !== '' && { [GPU_MODEL_LABEL]: model }) },
    },
    status: {
      allocatable: {
        cpu: `${row.amount('cpu_milli')}m`,
        memory: row.amount('memory_mib') * MIB,
        ...(gpus > 0 && { [GPU]: gpus * 1000 }),
      },
    },
  };
}

type Amounts = { readonly cpuMilli: number; readonly memoryMib: number; readonly gpuMilli: number };

function cut({ cpuMilli, memoryMib, gpuMilli }: Amounts, count: number): readonly Container[] {
  return Array.from({ length: count }, (_, index) => {
    const share = (amount: number): number => {
      if (count === 1) return amount;
      const rest = Math.floor(amount / 2 / (count - 1));
      return index === 0 ? amount - rest * (count - 1) : rest;
    };
    const requests = {
      cpu: `${share(cpuMilli)}m`,
      memory: share(memoryMib) * MIB,
      ...(index === 0 && gpuMilli > 0 && { [GPU]: gpuMilli }),
    };
    return { name: `c${index}`, resources: { requests } };
  });
}

function podOf(amounts: Amounts, models: readonly string[], containers: number): Pod {
  const matchExpressions = [{ key: GPU_MODEL_LABEL, operator: 'In', values: models }];
  const affinity =
    models.length === 0
      ? undefined
      : {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] },
          },
        };
  return { metadata: { namespace: 'openb' }, spec: { containers: cut(amounts, containers), affinity } };
}

function lifetimeMs(row: Row): number {
  const from = row.text('scheduled_time') === '' ? row.amount('creation_time') : row.amount('scheduled_time');
  const to = row.amount('deletion_time');
  if (to < from)
    throw new PodwrightError(
      'InvalidInput',
      `read trace ${row.source}: deletion_time ${to} is before ${from}`,
    );
  return (to - from) * 1000;
}

/** @throws InvalidInput with file and line. */
export function openbWorkload({ nodes, tasks, containers, everyNode, speedup }: OpenbOptions): Workload {
  const nodeRows = csvRows(nodes.content, nodes.path, NODE_COLUMNS);
  uniqueNames(nodeRows.map((row) => ({ source: row.source, name: row.text('sn') })));
  const models = new Set(nodeRows.map((row) => row.text('model')));
  const taskRows = csvRows(tasks.content, tasks.path, TASK_COLUMNS);
  uniqueNames(taskRows.map((row) => ({ source: row.source, name: row.text('name') })));
  const shapes = new Shapes();
  const known = new Map<string, Shape>();

  const shapeOf = (row: Row): Shape => {
    const spec = row.text('gpu_spec');
    const gpus = row.amount('num_gpu');
    const milli = row.amount('gpu_milli');
    if (!Number.isInteger(gpus) || milli > 1000)
      throw new PodwrightError(
        'InvalidInput',
        `read trace ${row.source}: ${gpus} GPUs of ${milli} thousandths`,
      );
    const amounts = {
      cpuMilli: row.amount('cpu_milli'),
      memoryMib: row.amount('memory_mib'),
      gpuMilli: gpus * (gpus === 1 ? milli : 1000),
    };
    const key = JSON.stringify([amounts, spec]);
    let shape = known.get(key);
    if (shape !== undefined) return shape;
    const wanted = spec === '' ? [] : spec.split('|').filter((model) => model !== '');
    const unknown = wanted.filter((model) => !models.has(model));
    if (unknown.length > 0)
      throw new PodwrightError(
        'InvalidInput',
        `read trace ${row.source}: no node has a GPU of type ${unknown.join(', ')}; there are ${[...models].filter((model) => model !== '').join(', ')}`,
      );
    shape = shapes.of(podOf(amounts, wanted, containers));
    known.set(key, shape);
    return shape;
  };

  const apps = taskRows.map(
    (row): App => ({
      name: row.text('name'),
      arriveMs: (row.amount('creation_time') * 1000) / speedup,
      durationMs: lifetimeMs(row),
      shape: shapeOf(row),
    }),
  );
  return {
    title: `${basename(tasks.path)}: ${apps.length} tasks of ${containers} container${containers === 1 ? '' : 's'}, arrivals ${speedup} times as fast, one node in ${everyNode} of ${nodeRows.length}`,
    nodes: nodeRows.filter((_, index) => index % everyNode === 0).map(nodeOf),
    namespaces: new Map(),
    apps: apps.sort((a, b) => a.arriveMs - b.arriveMs),
    gated: [],
  };
}
