// The kernel's totals from trees of files as cgroup v1 and v2 have them.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { groupUsage, nodeUsage } from '../../src/machine/cgroups/usage.ts';

function tree(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'usage-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const EXPECTED = {
  cpuNanoseconds: 5_000_000,
  memoryBytes: 4096,
  inactiveFileBytes: 1024,
  residentBytes: 2048,
  pageFaults: 7,
  majorPageFaults: 1,
  processes: 3,
};

test('cgroup v1', (t) => {
  const root = tree(t, {
    'cpuacct/pod/cpuacct.usage': '5000000\n',
    'memory/pod/memory.usage_in_bytes': '4096\n',
    'memory/pod/memory.stat':
      'rss 1\ninactive_file 1\ntotal_rss 2048\ntotal_inactive_file 1024\ntotal_pgfault 7\ntotal_pgmajfault 1\n',
    'pids/pod/pids.current': '3\n',
  });
  const v1 = new Map(['cpuacct', 'memory', 'pids'].map((name) => [name, join(root, name)]));
  assert.deepEqual(groupUsage({ version: 'hybrid', v1 }, '/pod'), EXPECTED);
  assert.equal(groupUsage({ version: 'hybrid', v1 }, '/gone'), undefined);
});

test('cgroup v2', (t) => {
  const unified = tree(t, {
    'pod/cpu.stat': 'usage_usec 5000\nuser_usec 4000\n',
    'pod/memory.current': '4096\n',
    'pod/memory.stat': 'anon 2048\nfile 2048\ninactive_file 1024\npgfault 7\npgmajfault 1\n',
    'pod/pids.current': '3\n',
  });
  assert.deepEqual(groupUsage({ version: 'v2', v1: new Map(), unified }, '/pod'), EXPECTED);
  assert.equal(groupUsage({ version: 'v2', v1: new Map(), unified }, '/gone'), undefined);
});

test('the machine', () => {
  const { group, memoryCapacityBytes, pidsMax, bootedAtMs, fs } = nodeUsage(tmpdir());
  assert.ok(group.cpuNanoseconds > 0 && group.processes > 1 && pidsMax > group.processes);
  assert.ok(group.memoryBytes > group.inactiveFileBytes && memoryCapacityBytes > group.memoryBytes);
  assert.ok(bootedAtMs > 0 && bootedAtMs < Date.now());
  assert.ok(fs.capacityBytes >= fs.usedBytes && fs.inodes >= fs.inodesFree);
});
