// helm against a real engine: a chart of a pod, a config map and a secret is installed, upgraded, rolled back and
// uninstalled, each waiting for the pod as helm does.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, run, TestEngine } from '../lib/engine.ts';

const HELM = join(ROOT, '.podwright/kubectl/helm');
const CHART = join(import.meta.dirname, 'chart');

describe('helm', { timeout: 300_000 }, () => {
  const engine = new TestEngine();
  const helm = async (...args: string[]): Promise<string> => {
    const env = { KUBECONFIG: engine.kubeconfig, HOME: engine.dir };
    const { code, stdout, stderr } = await run(HELM, [...args, '--namespace', 'shops'], env);
    assert.equal(code, 0, `helm ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const names = async (): Promise<readonly string[]> => {
    const text = await engine.kube('get', 'pod,cm,secret', '-n', 'shops', '-o', 'name');
    return text.split('\n').filter((name) => name !== '' && !/sh\.helm|kube-root-ca/.test(name));
  };
  /** helm does not wait for what it deleted; the next step does. */
  const gone = (pod: string): Promise<string> =>
    engine.kube('wait', '--for=delete', '-n', 'shops', `pod/${pod}`, '--timeout=60s');
  const logOf = async (pod: string): Promise<string> => engine.kube('logs', '-n', 'shops', pod);

  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('install', async () => {
    const said = await helm('install', 'my', CHART, '--create-namespace', '--wait', '--timeout', '60s');
    assert.match(said, /STATUS: deployed/);
    assert.deepEqual(await names(), ['pod/my-blue', 'configmap/my-settings', 'secret/my-secret']);
    assert.equal(await logOf('my-blue'), 'blue secret\n');
    assert.match(await helm('list'), /my +\t?shops +\t?1 .*deployed/);
    assert.match(await helm('status', 'my'), /STATUS: deployed/);
  });

  test('upgrade', async () => {
    const said = await helm('upgrade', 'my', CHART, '--set', 'colour=red', '--wait', '--timeout', '60s');
    assert.match(said, /REVISION: 2/);
    await gone('my-blue');
    assert.deepEqual(await names(), ['pod/my-red', 'configmap/my-settings', 'secret/my-secret']);
    assert.equal(await logOf('my-red'), 'red secret\n');
    assert.equal((await helm('get', 'values', 'my')).trim(), 'USER-SUPPLIED VALUES:\ncolour: red');
  });

  test('rollback', async () => {
    await helm('rollback', 'my', '1', '--wait', '--timeout', '60s');
    await gone('my-red');
    assert.deepEqual(await names(), ['pod/my-blue', 'configmap/my-settings', 'secret/my-secret']);
    assert.match(await helm('history', 'my'), /Rollback to 1/);
  });

  test('uninstall', async () => {
    assert.match(await helm('uninstall', 'my', '--wait', '--timeout', '60s'), /uninstalled/);
    assert.deepEqual(await names(), []);
  });
});
