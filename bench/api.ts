// The API over HTTPS, its server in a process of its own, beside what it stands on (bare LMDB puts, synced alike) and beside
// Debian's etcd, all on one disk, turn about in one run. A sample of a rate is one round of requests.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { open } from 'lmdb';
import { type ClientConfig, readKubeconfig } from '../src/client/kubeconfig.ts';
import type { Pod } from '../src/kube/api-types.ts';
import { type Etcd, openEtcd } from './etcd.ts';
import { type Row, summarize } from './statistics.ts';

const PODS = '/api/v1/namespaces/default/pods';
const CONCURRENT = 64;

const podNamed = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'bench', tier: 'front' } },
  spec: {
    containers: ['main', 'side'].map((container) => ({
      name: container,
      image: 'registry.example.com/team/app:1.2.3',
      command: ['app', '--serve'],
      env: [{ name: 'COLOUR', value: 'blue' }],
      resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
      readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
    })),
  },
});

type State = { readonly heldMs: number; readonly residentMiB: number; readonly cpuMs: number };

/** The server's process, and connections to it that stay open. */
async function openServer(dataDir: string) {
  const child = fork(join(import.meta.dirname, 'api-server.ts'), [dataDir]);
  const [{ kubeconfigPath }] = (await once(child, 'message')) as [{ kubeconfigPath: string }];
  const config: ClientConfig = readKubeconfig(kubeconfigPath);
  const { ca, cert, key, server } = config;
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENT, ca, cert, key });
  const call = (method: string, path: string, body?: object, type = 'application/json'): Promise<string> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers =
        text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) };
      const options: RequestOptions = { method, agent, headers };
      const sent = request(new URL(path, server), options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 300) resolve(answer);
          else reject(new Error(`${method} ${path}: ${answer}`));
        });
      });
      sent.on('error', reject);
      sent.end(text);
    });
  /** Since it was asked before. */
  const state = async (): Promise<State> => {
    child.send('state');
    const [answer] = (await once(child, 'message')) as [State];
    return answer;
  };
  const close = async (): Promise<void> => {
    agent.destroy();
    const gone = once(child, 'exit');
    child.disconnect();
    await gone;
  };
  return { call, state, close, config };
}

type Server = Awaited<ReturnType<typeof openServer>>;

/** A quick run says that the bench works, and judges no time. */
const isQuick = (n: number): boolean => n <= 3;
const callsOf = (n: number): number => (isQuick(n) ? 200 : 1000);

/** Calls a second of `count` calls, so many at once. */
async function rate(
  count: number,
  concurrent: number,
  call: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startMs = performance.now();
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await call(index);
  };
  await Promise.all(Array.from({ length: concurrent }, lane));
  return (1000 * count) / (performance.now() - startMs);
}

type Contestant = {
  readonly name: string;
  readonly call: (name: string) => Promise<unknown>;
  /** What its server has used of the processor; absent where it has none. */
  readonly cpuMs?: (() => Promise<number> | number) | undefined;
};

type Contest = {
  readonly what: string;
  readonly concurrent: number;
  readonly calls: number;
  /** The first is what the others are measured against. */
  readonly contestants: readonly Contestant[];
};

type Sample = { readonly perSecond: number; readonly cpuMs: number | undefined };

async function measure(
  { call, cpuMs }: Contestant,
  tag: string,
  { calls, concurrent }: Contest,
): Promise<Sample> {
  const before = await cpuMs?.();
  const perSecond = await rate(calls, concurrent, (index) => call(`${tag}-${index}`));
  const after = await cpuMs?.();
  return {
    perSecond,
    cpuMs: before === undefined || after === undefined ? undefined : (after - before) / calls,
  };
}

/** Rounds in turns; each has names of its own. */
async function contest(rounds: number, all: Contest): Promise<Row[]> {
  const { what, concurrent, contestants } = all;
  const samples = contestants.map((contestant) => ({ ...contestant, found: [] as Sample[] }));
  for (let round = 0; round < rounds; round += 1) {
    const tag = `${what.replace(/\W+/g, '-')}-${concurrent}-${round}`;
    for (const one of samples) one.found.push(await measure(one, tag, all));
  }
  const rowsOf = (unit: string, value: (sample: Sample) => number | undefined): Row[] => {
    let first: Row['against'];
    return samples.flatMap(({ name, found }) => {
      const values = found.flatMap((sample) => value(sample) ?? []);
      if (values.length === 0) return [];
      const summary = summarize(values);
      const against = first;
      first ??= { what: name, p50: summary.p50 };
      return { what: `${what}, ${concurrent} at once: ${name}`, unit, summary, against };
    });
  };
  return [
    ...rowsOf('1/s', ({ perSecond }) => perSecond),
    ...rowsOf('ms CPU of the server', ({ cpuMs }) => cpuMs),
  ];
}

/** Bare puts into LMDB with the store's own settings: what a durable write costs at least. */
function openLmdb(path: string) {
  const root = open<string, string>({ path, overlappingSync: false, encoding: 'string' });
  return { put: (key: string, value: string) => root.put(key, value), close: () => root.close() };
}

function contestantsOf(server: Server, etcd: Etcd | undefined) {
  const podwright = (call: Contestant['call']): Contestant => ({
    name: 'Podwright over HTTPS',
    call,
    cpuMs: async () => (await server.state()).cpuMs,
  });
  const ofEtcd = (call: (etcd: Etcd, name: string) => Promise<unknown>): Contestant[] =>
    etcd === undefined
      ? []
      : [{ name: `etcd ${etcd.version}`, call: (name) => call(etcd, name), cpuMs: etcd.cpuMs }];
  return { podwright, ofEtcd };
}

async function benchWrites(n: number, server: Server, dir: string, etcd: Etcd | undefined): Promise<Row[]> {
  const { podwright, ofEtcd } = contestantsOf(server, etcd);
  const lmdb = openLmdb(join(dir, 'lmdb'));
  const value = await server.call('POST', PODS, podNamed('shape'));
  const created = new Map<string, Pod>();
  const rows: Row[] = [];
  for (const concurrent of [1, CONCURRENT]) {
    const contestants = [
      ...ofEtcd((one, name) => one.put(`/registry/pods/${name}`, value)),
      podwright(async (name) => {
        created.set(name, JSON.parse(await server.call('POST', PODS, podNamed(name))) as Pod);
      }),
      { name: 'bare LMDB put', call: (name: string) => lmdb.put(name, value) },
    ];
    const calls = concurrent === 1 ? 50 : callsOf(n);
    rows.push(...(await contest(n, { what: 'create', concurrent, calls, contestants })));
  }
  await lmdb.close();
  const existing = (name: string): string => `create-64-0-${name.split('-').at(-1)}`;
  const update = async (name: string): Promise<unknown> => {
    const { metadata, ...pod } = created.get(existing(name)) ?? {};
    // Without its version it is no compare-and-swap: rounds follow one another.
    const { resourceVersion: _, ...kept } = metadata ?? {};
    const wanted = { ...pod, metadata: { ...kept, labels: { round: name } } };
    return server.call('PUT', `${PODS}/${existing(name)}`, wanted);
  };
  const patch = async (name: string): Promise<unknown> => {
    const body = { status: { phase: 'Running', message: name } };
    return server.call('PATCH', `${PODS}/${existing(name)}/status`, body, 'application/merge-patch+json');
  };
  for (const [what, call] of [
    ['update', update],
    ['status patch', patch],
  ] as const) {
    const put = ofEtcd((one, name) => one.put(`/registry/pods/${existing(name)}`, value));
    const contestants = [...put, podwright(call)];
    rows.push(...(await contest(n, { what, concurrent: CONCURRENT, calls: callsOf(n), contestants })));
  }
  return rows;
}

async function benchReads(n: number, server: Server, etcd: Etcd | undefined): Promise<Row[]> {
  const { podwright, ofEtcd } = contestantsOf(server, etcd);
  const contestants = [
    ...ofEtcd((one) => one.range('/registry/pods/create-64-0-1')),
    podwright(() => server.call('GET', `${PODS}/create-64-0-1`)),
  ];
  const rows = await contest(n, { what: 'get', concurrent: CONCURRENT, calls: callsOf(n), contestants });
  const page = JSON.parse(await server.call('GET', `${PODS}?limit=1`)) as {
    readonly metadata: { readonly remainingItemCount: number };
  };
  const objects = isQuick(n) ? 1000 : 10_000;
  const missing = Math.max(0, objects - 1 - page.metadata.remainingItemCount);
  await rate(missing, CONCURRENT, (index) => server.call('POST', PODS, podNamed(`more-${index}`)));
  const list = `list of ${Math.max(objects, page.metadata.remainingItemCount + 1)} pods`;
  const times: number[] = [];
  const held: number[] = [];
  const etcdTimes: number[] = [];
  const value = await server.call('GET', `${PODS}/create-64-0-1`);
  if (etcd) await rate(objects, CONCURRENT, (index) => etcd.put(`/registry/list/${index}`, value));
  for (let round = 0; round < n; round += 1) {
    await server.state();
    let startMs = performance.now();
    await server.call('GET', PODS);
    times.push(performance.now() - startMs);
    held.push((await server.state()).heldMs);
    startMs = performance.now();
    await etcd?.range('/registry/list/', '/registry/list0');
    if (etcd) etcdTimes.push(performance.now() - startMs);
  }
  const etcdRow: Row[] = etcd
    ? [{ what: `${list}: etcd ${etcd.version}`, unit: 'ms', summary: summarize(etcdTimes) }]
    : [];
  const against = etcd && { what: `etcd ${etcd.version}`, p50: summarize(etcdTimes).p50 };
  return [
    ...rows,
    ...etcdRow,
    { what: `${list}: Podwright over HTTPS`, unit: 'ms', summary: summarize(times), against },
    { what: `${list}: longest the event loop was held`, unit: 'ms', summary: summarize(held) },
  ];
}

/** A watch of the bench's config maps; `seen` gets each object's name. */
async function openWatch({ config }: Server, agent: Agent, seen: (name: string) => void): Promise<void> {
  const path = '/api/v1/namespaces/default/configmaps?watch=1';
  const sent = request(new URL(path, config.server), { agent });
  sent.end();
  const [response] = (await once(sent, 'response')) as [AsyncIterable<Buffer> & NodeJS.ReadableStream];
  let rest = '';
  response.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) seen(/"name":"([^"]*)"/.exec(line)?.[1] ?? '');
  });
}

type Watching = { readonly watchers: number; readonly changes: number; readonly perSecond?: number };

/** Times from the answer to a write until each watcher saw it (it may be seen before: 0), and the whole's duration. */
async function watchChanges(server: Server, round: number, { watchers, changes, perSecond }: Watching) {
  const { ca, cert, key } = server.config;
  const agent = new Agent({ keepAlive: true, maxSockets: watchers, ca, cert, key });
  const writtenMs = new Map<string, number>();
  const delays: number[] = [];
  let left = watchers * changes;
  const done = Promise.withResolvers<void>();
  const seen = (name: string): void => {
    if (!name.startsWith(`seen-${round}-`)) return;
    const at = performance.now();
    const sentMs = writtenMs.get(name);
    if (sentMs !== undefined) delays.push(at - sentMs);
    left -= 1;
    if (left === 0) done.resolve();
  };
  for (let opened = 0; opened < watchers; opened += 50)
    await Promise.all(
      Array.from({ length: Math.min(50, watchers - opened) }, () => openWatch(server, agent, seen)),
    );
  await server.state();
  const startMs = performance.now();
  const write = async (index: number): Promise<void> => {
    const name = `seen-${round}-${index}`;
    // From the sending on: the write's own way is in it.
    writtenMs.set(name, performance.now());
    await server.call('POST', '/api/v1/namespaces/default/configmaps', {
      metadata: { name },
      data: { a: 'b' },
    });
  };
  if (perSecond === undefined) await rate(changes, CONCURRENT, write);
  else {
    const writes: Promise<void>[] = [];
    for (let index = 0; index < changes; index += 1) {
      const dueMs = startMs + (1000 * index) / perSecond;
      if (dueMs - performance.now() > 1) await sleep(dueMs - performance.now());
      writes.push(write(index));
    }
    await Promise.all(writes);
  }
  await done.promise;
  const tookMs = performance.now() - startMs;
  agent.destroy();
  return { delays, tookMs, state: await server.state() };
}

async function benchWatches(n: number, server: Server): Promise<Row[]> {
  const rounds = Math.min(n, 2);
  const watchers = isQuick(n) ? 100 : 1000;
  const changes = 1000;
  const steady: number[] = [];
  const events: number[] = [];
  const held: number[] = [];
  const resident: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    steady.push(
      ...(await watchChanges(server, 2 * round, { watchers: 10, changes, perSecond: 1000 })).delays,
    );
    const { tookMs, state } = await watchChanges(server, 2 * round + 1, { watchers, changes });
    events.push((1000 * watchers * changes) / tookMs);
    held.push(state.heldMs);
    resident.push(state.residentMiB);
  }
  const many = `${watchers} watchers on ${changes} changes`;
  return [
    { what: '10 watchers, 1000 changes a second: sent until seen', unit: 'ms', summary: summarize(steady) },
    { what: `${many}: events delivered`, unit: '1/s', summary: summarize(events) },
    { what: `${many}: longest the event loop was held`, unit: 'ms', summary: summarize(held) },
    { what: `${many}: server resident`, unit: 'MiB', summary: summarize(resident) },
  ];
}

export async function benchApi(n: number): Promise<readonly Row[]> {
  const dir = mkdtempSync('/var/tmp/podwright-bench-');
  const etcd = await openEtcd(join(dir, 'etcd'));
  const server = await openServer(join(dir, 'podwright'));
  try {
    const writes = await benchWrites(n, server, dir, etcd);
    const reads = await benchReads(n, server, etcd);
    return [...writes, ...reads, ...(await benchWatches(n, server))];
  } finally {
    await server.close();
    await etcd?.close();
    rmSync(dir, { recursive: true });
  }
}
