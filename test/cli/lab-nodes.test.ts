// The words of `podwright lab --nodes`: what they mean, and what is refused by name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLabNodes } from '../../src/cli/lab-nodes.ts';

test('the short form: names and memory', () => {
  const nodes = parseLabNodes('a=1250Mi,b=2Gi, c');
  assert.deepEqual(
    nodes.map(({ name, capacity }) => [name, capacity]),
    [
      ['a', { memory: '1250Mi' }],
      ['b', { memory: '2Gi' }],
      ['c', {}],
    ],
  );
});

test('resources, labels and taints', () => {
  const text =
    'a=1Gi cpu=500m pods=3 nvidia.com/gpu=2 label:zone=east label:spot taint:x=y:NoExecute taint:k:NoSchedule';
  assert.deepEqual(parseLabNodes(text), [
    {
      name: 'a',
      capacity: { memory: '1Gi', cpu: '500m', pods: '3', 'nvidia.com/gpu': '2' },
      labels: { zone: 'east', spot: '' },
      taints: [
        { key: 'x', value: 'y', effect: 'NoExecute' },
        { key: 'k', effect: 'NoSchedule' },
      ],
    },
  ]);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['', /--nodes: "": "": a lowercase RFC 1123 label/],
  ['A=1Gi', /"A": a lowercase RFC 1123 label/],
  ['a=lots', /memory=lots: want an amount such as/],
  ['a=-1Gi', /memory=-1Gi: want an amount/],
  ['a cpu', /cpu=: want an amount/],
  ['a gpu=1', /gpu=1: want cpu, memory, pods, ephemeral-storage, DOMAIN\/NAME, label:/],
  ['a taint:x=y', /taint:x=y: want taint:KEY\[=VALUE\]:NoSchedule\|PreferNoSchedule\|NoExecute/],
  ['a taint:x:Never', /taint:x:Never: want/],
  ['a label:-x=1', /"-x": name part must consist/],
  ['a=1Gi,a=2Gi', /two nodes have this name/],
];

for (const [text, why] of REFUSED)
  test(`refused: ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseLabNodes(text), { code: 'InvalidInput', message: why });
  });
