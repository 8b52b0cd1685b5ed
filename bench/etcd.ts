// Debian's etcd in the bench: one member on loopback, its data on the same disk, synced as it does by itself. Values are
// those the API server stores. Undefined where etcd is not installed.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  type Client,
  credentials,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';

/** What of etcd's rpc.proto is used. */
const PROTO = {
  nested: {
    etcdserverpb: {
      nested: {
        KV: {
          methods: {
            Put: { requestType: 'PutRequest', responseType: 'PutResponse' },
            Range: { requestType: 'RangeRequest', responseType: 'RangeResponse' },
          },
        },
        PutRequest: { fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 2 } } },
        PutResponse: { fields: {} },
        RangeRequest: { fields: { key: { type: 'bytes', id: 1 }, rangeEnd: { type: 'bytes', id: 2 } } },
        RangeResponse: { fields: { kvs: { rule: 'repeated', type: 'KeyValue', id: 2 } } },
        KeyValue: { fields: { key: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 5 } } },
      },
    },
  },
} as const;

type Call = (request: object, callback: (error: Error | null, response: { kvs?: unknown[] }) => void) => void;
type Kv = Client & { readonly Put: Call; readonly Range: Call };

export type Etcd = {
  readonly version: string;
  put(key: string, value: string): Promise<void>;
  /** How many there were. */
  range(key: string, end?: string): Promise<number>;
  /** What its process has used of the processor. */
  cpuMs(): number;
  close(): Promise<void>;
};

/** utime and stime of proc_pid_stat(5), in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function versionOf(): string | undefined {
  try {
    return /etcd Version: (\S+)/.exec(execFileSync('etcd', ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

export async function openEtcd(dir: string): Promise<Etcd | undefined> {
  const version = versionOf();
  if (version === undefined) return undefined;
  mkdirSync(dir);
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const flags = {
    name: 'bench',
    'data-dir': join(dir, 'data'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `bench=${peer}`,
    'log-level': 'error',
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn('etcd', args, { stdio: 'ignore' });
  const definition = loadPackageDefinition(
    fromJSON(PROTO as unknown as Parameters<typeof fromJSON>[0]),
  ) as unknown as {
    readonly etcdserverpb: { readonly KV: ServiceClientConstructor };
  };
  const kv = new definition.etcdserverpb.KV(client.slice('http://'.length), credentials.createInsecure(), {
    'grpc.max_receive_message_length': 1 << 30,
  }) as unknown as Kv;
  const put = promisify(kv.Put.bind(kv)) as (request: object) => Promise<unknown>;
  const range = promisify(kv.Range.bind(kv)) as (request: object) => Promise<{ kvs?: unknown[] }>;
  const etcd: Etcd = {
    version,
    put: async (key, value) => void (await put({ key: Buffer.from(key), value: Buffer.from(value) })),
    // An empty end is "to the last key", none is one key alone.
    range: async (key, end) => {
      const asked = { key: Buffer.from(key), ...(end === undefined ? {} : { rangeEnd: Buffer.from(end) }) };
      return (await range(asked)).kvs?.length ?? 0;
    },
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    close: async () => {
      kv.close();
      const gone = once(child, 'exit');
      child.kill();
      await gone;
    },
  };
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      await etcd.range('ready');
      return etcd;
    } catch {
      await sleep(100);
    }
  }
  await etcd.close();
  throw new Error('etcd did not answer within ten seconds');
}
