// The doctor: judgements on machines that are not this one as tables, then this machine for real. Needs root.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type CgroupLayout, cgroupLayout } from '../../src/machine/cgroups/layout.ts';
import { examineCapabilities, examineKernel, judgeCgroups } from '../../src/machine/doctor/kernel.ts';
import { examineNode, examinePrograms } from '../../src/machine/doctor/programs.ts';
import { examineMachine } from '../../src/machine/doctor.ts';
import { CNI_PLUGIN_DIRS } from '../../src/machine/network/cni.ts';

describe('judgeCgroups', () => {
  const v1 = (...names: readonly string[]): ReadonlyMap<string, string> =>
    new Map(names.map((name) => [name, '/x']));
  const cases: readonly (readonly [CgroupLayout, string, string, RegExp])[] = [
    [
      { version: 'v2', v1: v1(), unified: '/c' },
      'cpu io memory pids\n',
      'ok',
      /^v2 \(v2: cpu io memory pids\)$/,
    ],
    [{ version: 'v2', v1: v1(), unified: '/c' }, 'cpu pids', 'missing', /^v2/],
    [
      { version: 'v1', v1: v1('cpu', 'memory', 'pids', 'name=systemd') },
      '',
      'warning',
      /^v1 \(v1: cpu memory pids\)$/,
    ],
    [
      { version: 'hybrid', v1: v1('cpu', 'memory', 'pids'), unified: '/c' },
      '',
      'warning',
      /v2: no controllers/,
    ],
    [
      { version: 'hybrid', v1: v1('cpu', 'memory', 'pids'), unified: '/c' },
      'hugetlb',
      'warning',
      /v2: hugetlb/,
    ],
  ];
  for (const [layout, onV2, state, found] of cases) {
    it(`${layout.version} with ${JSON.stringify(onV2)} is ${state}`, () => {
      const finding = judgeCgroups(layout, onV2);
      assert.equal(finding.state, state);
      assert.match(finding.found, found);
      assert.equal(finding.remedy === undefined, state === 'ok');
    });
  }
  it('says how to make a hybrid tree one that crun takes', () => {
    const finding = judgeCgroups(
      { version: 'hybrid', v1: v1('cpu', 'memory', 'pids'), unified: '/c' },
      'hugetlb',
    );
    assert.match(finding.remedy ?? '', /mount -t cgroup -o hugetlb cgroup \/sys\/fs\/cgroup\/hugetlb/);
  });
});

it('judges kernels, Node versions and capabilities', () => {
  assert.equal(examineKernel('5.6.0-1').state, 'ok');
  assert.equal(examineKernel('6.1.0').state, 'ok');
  assert.equal(examineKernel('5.5.9').state, 'missing');
  assert.equal(examineNode('v24.0.0').state, 'ok');
  assert.equal(examineNode('v22.9.0').state, 'missing');
  const [needed, resource] = examineCapabilities(new Set(['CAP_SYS_ADMIN']));
  assert.match(needed?.found ?? '', /without CAP_NET_ADMIN/);
  assert.equal(resource?.state, 'warning');
});

it('names the package of the plug-ins that are missing', async () => {
  const plugins = (await examinePrograms(['/nonexistent'])).find(({ topic }) => topic === 'CNI plug-ins');
  assert.equal(plugins?.state, 'warning');
  assert.match(plugins?.remedy ?? '', /^apt-get install containernetworking-plugins/);
});

it('examines this machine: every topic, a remedy for whatever is not well, a runtime that works, nothing left', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'podwright-doctor-test-'));
  try {
    const dirs = { dataDir: join(dir, 'not/yet/there'), runDir: dir, logDir: dir };
    const findings = await examineMachine({ dirs, pluginDirs: CNI_PLUGIN_DIRS });
    const topics = findings.map(({ topic }) => topic);
    for (const topic of [
      'user',
      'kernel',
      'cgroups',
      'overlayfs',
      'disk',
      'OCI runtime crun',
      'OCI runtime runc',
      'conmon',
      'skopeo',
      'nft',
      'CNI plug-ins',
    ]) {
      assert(topics.includes(topic), topic);
    }
    assert.deepEqual(
      findings.filter(({ state, remedy }) => state !== 'ok' && !remedy),
      [],
    );
    assert.deepEqual(
      findings.filter(({ state }) => state === 'missing'),
      [],
    );
    assert(findings.some(({ topic, found }) => topic.startsWith('OCI runtime') && found.endsWith('works')));
    assert(!existsSync(dirs.dataDir), 'it makes no directory');
    assert.deepEqual(readdirSync(dir), []);
    const { v1, unified } = cgroupLayout();
    for (const root of [...v1.values(), ...(unified === undefined ? [] : [unified])]) {
      assert(!existsSync(join(root, `podwright-doctor-${process.pid}`)), `a cgroup is left in ${root}`);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
