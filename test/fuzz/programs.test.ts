// Whatever the programs below the engine print, and the kernel answers: runtimes, monitors, CNI plug-ins, netlink. A program
// that prints nonsense costs its own pod, with an error that names it.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { skopeoWords } from '../../src/machine/images/pull.ts';
import { parseNetworkList } from '../../src/machine/network/cni-config.ts';
import { addressesOf, parseCniResult } from '../../src/machine/network/cni-protocol.ts';
import {
  decodeAttributes,
  decodeMessages,
  encodeAttributes,
  encodeMessage,
} from '../../src/machine/network/netlink/message.ts';
import { type Runtime, runtimeErrorText, runtimeStatus } from '../../src/machine/runtime/runtime.ts';
import { answersOrRefuses, fuzz, mutations, textOf } from './fuzz.ts';

const file = 'programs.test.ts';

test('the last words of runtimes and of skopeo become one text, whatever they are', async () => {
  const words = [
    ...[
      'time="2026-11-25T10:00:00Z" ',
      'level=error ',
      'level=fatal ',
      'msg="',
      '"',
      '\\"',
      '\\x1b',
      '\\u00e9',
      '\\n',
    ],
    ...['\n', '2026-11-25T10:00:00.123Z: ', 'error: ', '\\U0010ffff', '\\U00110000', '\\007', '\\', '{', '}'],
  ];
  await fuzz({ file, corpus: 'last-words', input: textOf(words), runs: 1000 }, (text) => {
    assert.equal(typeof runtimeErrorText(text), 'string');
    assert.equal(typeof skopeoWords(text), 'string');
  });
});

test('the state a runtime tells', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'podwright-fuzz-'));
  const runtime: Runtime = { name: 'runc', path: join(dir, 'runc'), root: dir };
  writeFileSync(runtime.path, `#!/bin/sh\ncat ${dir}/said\n`);
  chmodSync(runtime.path, 0o755);
  const state = { ociVersion: '1.0.0', id: 'x', status: 'running', pid: 1 };
  const input = fc.oneof(
    mutations(state).map((value) => JSON.stringify(value)),
    textOf(['{', '}', '"status"', ':', '"created"', 'null', '\n']),
  );
  try {
    await fuzz({ file, corpus: 'runtime-state', input, runs: 50 }, (text) => {
      writeFileSync(join(dir, 'said'), text);
      return answersOrRefuses(() => runtimeStatus(runtime, 'x'));
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('results and configurations of CNI: every address that is taken is one', async () => {
  const result = {
    cniVersion: '1.0.0',
    ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.1' }, { address: 'fd00::2/64' }],
    ip4: { ip: '10.0.0.1/8' },
  };
  const input = mutations(result).map((value) => JSON.stringify(value));
  await fuzz({ file, corpus: 'cni-results', input, runs: 1000 }, (text) =>
    answersOrRefuses(() => {
      for (const address of addressesOf(parseCniResult(text, 'x')))
        assert.notEqual(isIP(address), 0, address);
    }),
  );
  const list = {
    cniVersion: '1.0.0',
    name: 'n',
    plugins: [{ type: 'bridge', capabilities: { portMappings: true } }],
  };
  const lists = mutations(list).map((value) => JSON.stringify(value));
  await fuzz({ file, corpus: 'cni-lists', input: lists }, (text) =>
    answersOrRefuses(() => parseNetworkList(text, 'x.conflist')),
  );
});

test('netlink: what is cut off or lies about its length ends there; what was written is read', async () => {
  const good = encodeMessage(
    {
      type: 16,
      fixed: Buffer.alloc(16),
      attributes: [
        [3, 'eth0'],
        [18, [[1, 'veth']]],
      ],
    },
    7,
  );
  const damaged = fc
    .tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(good.length))
    .map(([at, byte, end]) => {
      const copy = Buffer.from(good);
      copy[at] = byte;
      return copy.subarray(0, end).toString('hex');
    });
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array).toString('hex'));
  await fuzz({ file, corpus: 'netlink', input: fc.oneof(damaged, bytes), runs: 2000 }, (hex) => {
    const datagram = Buffer.from(hex, 'hex');
    const replies = decodeMessages(datagram);
    const read = replies.reduce((sum, { body }) => sum + 16 + body.length, 0);
    assert.ok(read <= datagram.length + 3 * replies.length);
    for (const { body } of replies) decodeAttributes(body);
    decodeAttributes(datagram);
  });
  const attributes = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })),
    { selector: ([type]) => type, maxLength: 8 },
  );
  await fuzz({ file, corpus: 'netlink-attributes', input: attributes }, (list) => {
    const read = decodeAttributes(encodeAttributes(list));
    assert.equal(read.size, list.length);
    for (const [type, value] of list) assert.ok(read.get(type)?.equals(Buffer.from(value)));
  });
});
