// Pod Security admission, as a user of kubectl meets it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiRig } from '../lib/api-rig.ts';

const pod = (name: string, extra = ''): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: tight}
spec:
  containers: [{name: a, image: "x:1"${extra}}]
`;
const PRIVILEGED = ', securityContext: {privileged: true}';

const LEVEL = 'pod-security.kubernetes.io';

test('enforce refuses, warn tells, workloads are told of, a stricter level names who is there', {
  timeout: 120_000,
}, async (t) => {
  const { kubectl } = await apiRig(t);
  const ok = async (args: readonly string[], stdin?: string) => {
    const output = await kubectl(args, stdin);
    assert.equal(output.code, 0, `kubectl ${args.join(' ')}: ${output.stderr}`);
    return output;
  };
  await ok(['create', 'namespace', 'tight']);
  await ok(['create', '-f', '-'], pod('before', PRIVILEGED));
  const labelled = await ok([
    'label',
    'namespace',
    'tight',
    `${LEVEL}/enforce=baseline`,
    `${LEVEL}/warn=restricted`,
  ]);
  assert.match(
    labelled.stderr,
    /Warning: existing pods in namespace "tight" violate the new PodSecurity enforce level "baseline:latest"\nWarning: before: privileged/,
  );
  const refused = await kubectl(['create', '-f', '-'], pod('bad', PRIVILEGED));
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /Error from server \(Forbidden\): error when creating "STDIN": pods "bad" is forbidden: violates PodSecurity "baseline:latest": privileged \(container "a" must not set securityContext.privileged=true\)/,
  );
  const warned = await ok(['create', '-f', '-'], pod('good'));
  assert.match(
    warned.stderr,
    /Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false \(container "a" must set/,
  );
  assert.match((await ok(['create', '-f', '-', '--dry-run=server'], pod('dry'))).stderr, /would violate/);
  const deployment = await ok(['-n', 'tight', 'create', 'deployment', 'd', '--image=x:1']);
  assert.match(deployment.stderr, /Warning: would violate PodSecurity "restricted:latest"/);
  await ok(['-n', 'tight', 'label', 'pod', 'before', 'a=b'], '');
  const debug = await kubectl([
    '-n',
    'tight',
    'debug',
    'good',
    '--image=x:1',
    '--profile=sysadmin',
    '--container=dbg',
  ]);
  assert.match(debug.stderr, /violates PodSecurity "baseline:latest": .*privileged \(container "dbg"/);
  const nonsense = await kubectl(['label', 'namespace', 'tight', '--overwrite', `${LEVEL}/enforce=strict`]);
  assert.match(nonsense.stderr, /must be one of privileged, baseline, restricted/);
});
