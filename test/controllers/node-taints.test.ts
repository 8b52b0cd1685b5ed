// Taints follow the conditions of a node, and leave everybody else's alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planTaints } from '../../src/controllers/nodes/plan-taints.ts';
import type { NodeCondition, Taint } from '../../src/kube/api-types.ts';

const condition = (type: string, status: string): NodeCondition => ({ type, status });
const own = (name: string): Taint => ({ key: `node.kubernetes.io/${name}`, effect: 'NoSchedule' });
const users: Taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoExecute' };
const other: Taint = { key: 'team', value: 'a', effect: 'NoSchedule' };

test('each pressure has its taint, which goes with it', () => {
  const table: readonly (readonly [
    readonly NodeCondition[],
    readonly Taint[],
    readonly Taint[] | undefined,
  ])[] = [
    [[], [], undefined],
    [[condition('MemoryPressure', 'False'), condition('Ready', 'True')], [other], undefined],
    [[condition('MemoryPressure', 'True')], [other], [other, own('memory-pressure')]],
    [[condition('MemoryPressure', 'True')], [own('memory-pressure'), other], undefined],
    [
      [condition('DiskPressure', 'True'), condition('PIDPressure', 'True')],
      [own('memory-pressure')],
      [own('disk-pressure'), own('pid-pressure')],
    ],
    [[condition('MemoryPressure', 'False')], [users, own('memory-pressure')], [users]],
  ];
  for (const [conditions, taints, wanted] of table)
    assert.deepEqual(planTaints({ spec: { taints }, status: { conditions } }), wanted);
});
