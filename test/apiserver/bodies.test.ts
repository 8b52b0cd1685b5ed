// What bodies say twice, and a port-forward as client libraries speak it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { KubeConfig, PortForward } from '@kubernetes/client-node';
import fc from 'fast-check';
import { duplicateKeys } from '../../src/apiserver/http/duplicate-keys.ts';
import { PODS } from '../../src/client/resources.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';
import { assertProperty } from '../lib/property.ts';

test('keys given twice are found wherever they are, and only they', async () => {
  assert.deepEqual(duplicateKeys('{"a":1,"b":[{"c":{}},{"c":"a\\"}{,","d":[],"c":2}],"\\u0061":2}'), [
    'b[1].c',
    'a',
  ]);
  const property = fc.asyncProperty(fc.json(), async (text) => {
    // fast-check makes objects: none of their keys comes twice.
    assert.deepEqual(duplicateKeys(text), []);
  });
  await assertProperty(property, { file: 'test/apiserver/bodies.test.ts', numRuns: 300 });
});

test('a duplicate field is refused under Strict, told under Warn', { timeout: 60_000 }, async (t) => {
  const { kubectl } = await apiRig(t);
  const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1","a":"2"}}';
  const path = '/api/v1/namespaces/default/configmaps';
  const strict = await kubectl(['create', '--raw', `${path}?fieldValidation=Strict`, '-f', '-'], body);
  assert.match(strict.stderr, /strict decoding error: duplicate field "data.a"/);
  const warned = await kubectl(['create', '--raw', path, '-f', '-'], body);
  assert.equal(warned.code, 0, warned.stderr);
  assert.match(warned.stderr, /Warning: duplicate field "data.a"/);
  assert.match(warned.stdout, /"data":\{"a":"2"\}/);
});

test('the client library forwards a port', { timeout: 60_000 }, async (t) => {
  const echo = createServer((socket) => socket.on('data', (data) => socket.end(`heard ${data}`)));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.after(() => echo.close());
  const { port } = echo.address() as AddressInfo;
  const node = {
    logs: () => Promise.reject(new Error('none')),
    exec: () => Promise.reject(new Error('none')),
    attach: () => Promise.reject(new Error('none')),
    connectPort: async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
  };
  const { kubectl, kubeconfigPath, server } = await apiRig(t, { node: node as never });
  await kubectl(['create', '-f', '-'], POD_MANIFEST);
  await server.resources.get(PODS, { name: 'web' });
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const [output, errors, input] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const socket = await new PortForward(config).portForward('default', 'web', [port], output, errors, input);
  input.write('you');
  const [answer] = (await once(output, 'data')) as [Buffer];
  // The port's own two bytes may come as an empty first chunk.
  const text = answer.length > 0 ? answer : ((await once(output, 'data')) as [Buffer])[0];
  assert.equal(String(text), 'heard you');
  await once(socket as never, 'close');
});
