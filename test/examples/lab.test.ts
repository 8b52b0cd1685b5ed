// The Node_A/Node_B case on two real nodes: placed whole the pod runs, placed one by one one of the two stays Pending.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, ROOT } from '../lib/engine.ts';
import { TestLab } from '../lib/lab.ts';

const EXAMPLES = join(ROOT, 'examples/lab');

describe('examples/lab', () => {
  const lab = new TestLab('a=1250Mi label:disk=ssd, b=2Gi', 'busybox');
  before(() => lab.start());
  after(() => lab.close());

  test('one pod of both containers runs on the node that has room for the sum', async () => {
    await lab.kube('apply', '-f', join(EXAMPLES, 'whole.yaml'));
    await lab.kube('wait', '--for=condition=Ready', 'pod/whole', '--timeout=60s');
    assert.equal(await lab.kube('get', 'pod', 'whole', '-o', 'jsonpath={.spec.nodeName}'), 'b');
    await eventually('the collector has a line of the app', async () =>
      /a line of the app/.test(await lab.kube('logs', 'whole', '-c', 'log-collector')) ? true : undefined,
    );
    await lab.kube('delete', 'pod', 'whole', '--timeout=60s');
  });

  test('two pods: the app takes the node it likes, and the collector fits nowhere', async () => {
    await lab.kube('apply', '-f', join(EXAMPLES, 'apart.yaml'));
    await lab.kube('wait', '--for=condition=Ready', 'pod/app', '--timeout=60s');
    assert.equal(await lab.kube('get', 'pod', 'app', '-o', 'jsonpath={.spec.nodeName}'), 'a');
    const refusal = await eventually('the collector is refused', async () => {
      const condition = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}';
      return (await lab.kube('get', 'pod', 'log-collector', '-o', condition)) || undefined;
    });
    assert.equal(
      refusal,
      "0/2 nodes are available: 1 Insufficient memory, 1 node(s) didn't match pod affinity rules. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
    );
    assert.equal(await lab.kube('get', 'pod', 'log-collector', '-o', 'jsonpath={.status.phase}'), 'Pending');
  });

  test('podwright why says what stands in the way on each node, and what would help', async () => {
    const said = await lab.podwright('why', 'log-collector');
    assert.equal(said.code, 0, said.stderr);
    assert.match(said.stdout, /^a +no +Insufficient memory +request 286Mi less of memory \(226Mi is free\)/m);
    assert.match(said.stdout, /^b +no +node\(s\) didn't match pod affinity rules +a pod with app=web comes/m);
    assert.match(said.stdout, /^smallest change, for node a: request 286Mi less of memory/m);
    const { stdout } = await lab.podwright('why', 'app', '-o', 'json');
    const { verdict, nodes } = JSON.parse(stdout) as { verdict: unknown; nodes: readonly { node: string }[] };
    assert.deepEqual(verdict, { state: 'scheduled', node: 'a' });
    assert.equal(nodes[0]?.node, 'a');
    const missing = await lab.podwright('why', 'nobody');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /pods "nobody" not found/);
  });
});
