// KubeSchedulerConfiguration: what it means for placement, and that nothing in it is ignored.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { profilesOf } from '../../src/scheduler/configuration.ts';
import { node, pod, smallCluster } from './small-cluster.ts';

const HEAD = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';
const read = (text: string) => profilesOf(parse(HEAD + text));

const TWO = `profiles:
- schedulerName: default-scheduler
- schedulerName: packer
  plugins:
    score: {disabled: [{name: NodeResourcesBalancedAllocation}]}
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy: {type: MostAllocated, resources: [{name: memory, weight: 2}]}
`;

test('two profiles by schedulerName: one spreads, the other packs', () => {
  const { where, bind } = smallCluster([node('a'), node('b')], read(TWO));
  bind({
    ...pod('first', ['4Gi']),
    spec: {
      ...pod('first', ['4Gi']).spec,
      containers: pod('first', ['4Gi']).spec?.containers ?? [],
      nodeName: 'a',
    },
  });
  assert.equal(where(pod('x', ['1Gi'])), 'b');
  assert.equal(where(pod('y', ['1Gi'], { schedulerName: 'packer' })), 'a');
});

test('a plug-in that is turned off everywhere objects to nothing', () => {
  const off = 'profiles:\n- plugins: {multiPoint: {disabled: [{name: TaintToleration}]}}\n';
  const tainted = node('a', { taints: [{ key: 'k', effect: 'NoSchedule' }] });
  assert.equal(smallCluster([tainted], read(off)).where(pod('x')), 'a');
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['leaderElection: {leaderElect: false}\nprofiles: []\n', /leaderElection: Podwright does not have this/],
  ['profiles: []\n', /profiles: want at least one/],
  ['profiles: [{schedulerName: a}, {schedulerName: a}]\n', /"a" stands there twice/],
  ['profiles: [{plugins: {bind: {}}}]\n', /profiles\[0\].plugins.bind: Podwright does not have this/],
  [
    'profiles: [{plugins: {score: {disabled: [{name: NoSuch}]}}}]\n',
    /disabled\[0\].name: no plug-in "NoSuch"; there are Node/,
  ],
  [
    'profiles: [{plugins: {score: {enabled: [{name: ImageLocality, weight: -1}]}}}]\n',
    /weight: want a whole number, 0 to 100/,
  ],
  [
    'profiles: [{pluginConfig: [{name: NodeAffinity, args: {}}]}]\n',
    /only NodeResourcesFit and InterPodAffinity/,
  ],
  [
    'profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: Best}}}]}]\n',
    /scoringStrategy.type: want LeastAllocated/,
  ],
];

for (const [text, why] of REFUSED)
  test(`refused: ${text.trim().split('\n')[0]}`, () => {
    assert.throws(() => read(text), { code: 'InvalidInput', message: why });
  });

test('another kind is refused', () => {
  assert.throws(() => profilesOf({ apiVersion: 'v1', kind: 'Pod' }), { code: 'InvalidInput' });
  assert.throws(() => profilesOf({ apiVersion: 'v1', kind: 'Pod', profiles: [] }), {
    message: /want KubeSchedulerConfiguration/,
  });
});
