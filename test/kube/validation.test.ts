// Pods that are wrong in one place: the field and the words are Kubernetes'. Also quantities and selectors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod, PodSpec } from '../../src/kube/api-types.ts';
import { canonicalQuantity } from '../../src/kube/canonical-quantity.ts';
import { defaultPod } from '../../src/kube/defaults/pod.ts';
import { parseLabelSelector } from '../../src/kube/selectors.ts';
import { validatePod } from '../../src/kube/validation/pod.ts';
import { validatePodUpdate } from '../../src/kube/validation/pod-update.ts';

const base: Container = { name: 'a', image: 'nginx:1' };
const pod = (spec: Partial<PodSpec>): Pod => defaultPod({ spec: { containers: [base], ...spec } });
const withContainer = (container: Partial<Container>, spec: Partial<PodSpec> = {}) => ({
  ...spec,
  containers: [{ ...base, ...container }],
});
const C = 'spec.containers[0]';

const CASES: readonly (readonly [Partial<PodSpec>, string])[] = [
  [{ containers: [] }, 'spec.containers: Required value'],
  [withContainer({ name: '' }), `${C}.name: Required value`],
  [withContainer({ name: 'A' }), `${C}.name: Invalid value: "A": a lowercase RFC 1123 label must consist of`],
  [withContainer({ image: '' }), `${C}.image: Required value`],
  [
    withContainer({ imagePullPolicy: 'x' }),
    `${C}.imagePullPolicy: Unsupported value: "x": supported values: "Always", "IfNotPresent", "Never"`,
  ],
  [{ containers: [base, base] }, 'spec.containers[1].name: Duplicate value: "a"'],
  [{ initContainers: [base] }, 'spec.initContainers[0].name: Duplicate value: "a"'],
  [withContainer({ ports: [{ containerPort: 0 }] }), `${C}.ports[0].containerPort: Required value`],
  [
    withContainer({ ports: [{ containerPort: 70000 }] }),
    `${C}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
  ],
  [
    withContainer({ ports: [{ containerPort: 1, protocol: 'X' }] }),
    `${C}.ports[0].protocol: Unsupported value: "X"`,
  ],
  [
    withContainer({
      ports: [
        { containerPort: 1, hostPort: 2 },
        { containerPort: 3, hostPort: 2 },
      ],
    }),
    `${C}.ports[1].hostPort: Duplicate value: "TCP//2"`,
  ],
  [
    withContainer({
      ports: [
        { name: 'p', containerPort: 1 },
        { name: 'p', containerPort: 3 },
      ],
    }),
    `${C}.ports[1].name: Duplicate value: "p"`,
  ],
  [withContainer({ env: [{ name: '' }] }), `${C}.env[0].name: Required value`],
  [withContainer({ env: [{ name: 'a=b' }] }), `${C}.env[0].name: Invalid value: "a=b"`],
  [
    withContainer({
      env: [{ name: 'E', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    }),
    `${C}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`,
  ],
  [
    withContainer({ env: [{ name: 'E', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } }] }),
    `${C}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.nope"`,
  ],
  [
    withContainer({ volumeMounts: [{ name: 'v', mountPath: '/x' }] }),
    `${C}.volumeMounts[0].name: Not found: "v"`,
  ],
  [
    withContainer(
      { volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '../y' }] },
      { volumes: [{ name: 'v' }] },
    ),
    `${C}.volumeMounts[0].subPath: Invalid value: "../y": must not contain '..'`,
  ],
  [
    withContainer({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
    `${C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
  ],
  [
    withContainer({ resources: { requests: { cpu: '-1' } } }),
    `${C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
  ],
  [
    withContainer(
      {},
      { ephemeralContainers: [{ name: 'd', image: 'x', livenessProbe: { exec: { command: ['x'] } } }] },
    ),
    'spec.ephemeralContainers[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container',
  ],
  [
    withContainer({}, { ephemeralContainers: [{ name: 'd', image: 'x', targetContainerName: 'nope' }] }),
    'spec.ephemeralContainers[0].targetContainerName: Not found: "nope"',
  ],
  [withContainer({ restartPolicy: 'Often' }), `${C}.restartPolicy: Unsupported value: "Often"`],
  [
    withContainer({
      restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [3] } }],
    }),
    `${C}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
  ],
  [
    withContainer({
      restartPolicy: 'Never',
      restartPolicyRules: [{ action: 'TerminatePod', exitCodes: { operator: 'In', values: [3] } }],
    }),
    `${C}.restartPolicyRules[0].action: Unsupported value: "TerminatePod": supported values: "Restart", "RestartAllContainers"`,
  ],
  [
    withContainer({ livenessProbe: { httpGet: { port: 0 } } }),
    `${C}.livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`,
  ],
  [
    withContainer({ lifecycle: { stopSignal: 'SIGUSR1' } }),
    `${C}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty \`spec.os.name\``,
  ],
  [
    withContainer({ securityContext: { runAsUser: -1 } }),
    `${C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`,
  ],
  [withContainer({ livenessProbe: {} }), `${C}.livenessProbe: Required value: must specify a handler type`],
  [
    { initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['x'] } } }] },
    'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
  ],
  [{ volumes: [{ name: 'v' }, { name: 'v' }] }, 'spec.volumes[1].name: Duplicate value: "v"'],
  [
    { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
    'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
  ],
  [
    { volumes: [{ name: 'v', hostPath: { path: '/x', type: 'X' } }] },
    'spec.volumes[0].hostPath.type: Unsupported value: "X"',
  ],
  [{ volumes: [{ name: 'v', secret: {} }] }, 'spec.volumes[0].secret.secretName: Required value'],
  [
    { volumes: [{ name: 'v', nfs: { path: '/', server: 's' } }] },
    'spec.volumes[0].nfs: Unsupported value: "nfs": Podwright does not have this yet',
  ],
  [
    { restartPolicy: 'Sometimes' },
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
  ],
  [
    { dnsPolicy: 'None' },
    'spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
  ],
  [
    { hostAliases: [{ ip: 'x', hostnames: ['h'] }] },
    'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address',
  ],
  [
    { terminationGracePeriodSeconds: -1 },
    'spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0',
  ],
  [{ nodeSelector: { 'a b': 'c' } }, 'spec.nodeSelector: Invalid value: "a b"'],
  [
    { tolerations: [{ operator: 'Equal' }] },
    'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty',
  ],
];

test('each wrong place gives exactly one error', () => {
  for (const [spec, expected] of CASES) {
    const errors = validatePod(pod(spec)).map(({ field, message }) => `${field}: ${message}`);
    assert.equal(errors.length, 1, `${expected}\n${errors.join('\n')}`);
    assert.ok(errors[0]?.startsWith(expected), `${errors[0]}\n${expected}`);
  }
  assert.deepEqual(validatePod(pod({})), []);
});

test('of a pod only images, the deadline and added tolerations may change', () => {
  const old = pod({ tolerations: [{ key: 'k', operator: 'Exists' }] });
  const update = (spec: Partial<PodSpec>) =>
    validatePodUpdate({ spec: { ...old.spec, containers: [base], ...spec } as PodSpec }, old);
  const containers = (old.spec?.containers ?? []).map((one) => ({ ...one, image: 'nginx:2' }));
  assert.deepEqual(update({ containers }), []);
  assert.deepEqual(update({ ...old.spec, activeDeadlineSeconds: 5 }), []);
  assert.equal(update({ ...old.spec, restartPolicy: 'Never' })[0]?.field, 'spec');
  assert.equal(update({ ...old.spec, tolerations: [] })[0]?.field, 'spec.tolerations');
  assert.equal(update({ containers: [...containers, base] })[0]?.field, 'spec.containers');
});

test('defaults are idempotent', () => {
  const once = pod({
    hostNetwork: true,
    ...withContainer({ ports: [{ containerPort: 80 }], readinessProbe: { httpGet: { port: 80 } } }),
    volumes: [{ name: 'v' }],
  });
  assert.deepEqual(defaultPod(once), once);
  assert.equal(once.spec?.containers[0]?.ports?.[0]?.hostPort, 80);
  assert.deepEqual(once.spec?.volumes, [{ name: 'v', emptyDir: {} }]);
});

test('quantities get the spelling Kubernetes stores', () => {
  const cases = {
    '0.5': '500m',
    '1000m': '1',
    '1024Mi': '1Gi',
    '1.5Gi': '1536Mi',
    '1e3': '1e3',
    '1000': '1k',
    '0': '0',
    '0Gi': '0',
    '-2': '-2',
    '.5': '500m',
    '100Ki': '100Ki',
    '1500M': '1500M',
  };
  for (const [text, canonical] of Object.entries(cases))
    assert.equal(canonicalQuantity(text), canonical, text);
  for (const text of ['', 'x', '1 Gi', '1gi', '--1', '1.2.3'])
    assert.equal(canonicalQuantity(text), undefined, text);
});

test('label selectors', () => {
  const labels = { app: 'web', n: '5' };
  const cases = {
    '': true,
    'app=web': true,
    'app!=web': false,
    'app in (web, db)': true,
    'app notin (web)': false,
    'x notin (web)': true,
    app: true,
    '!app': false,
    '!x': true,
    'n>4': true,
    'n<5': false,
    'app=web,x': false,
  };
  for (const [text, expected] of Object.entries(cases))
    assert.equal(parseLabelSelector(text)(labels), expected, text);
  for (const text of ['a=b=c', 'a in b', '=', 'a>x', '('])
    assert.throws(() => parseLabelSelector(text), { code: 'BadRequest' }, text);
});
