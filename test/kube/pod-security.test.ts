// The Pod Security Standards: for every rule a pod that keeps it and one that breaks it, in the words of Kubernetes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, PodSpec } from '../../src/kube/api-types.ts';
import {
  policyOf,
  policyWarnings,
  validatePolicyLabels,
  violationsOf,
} from '../../src/kube/pod-security/policy.ts';

const HARDENED: NonNullable<Container['securityContext']> = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
};
const hardenedPod = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
} satisfies Partial<PodSpec>;

const detailsOf = (
  level: 'baseline' | 'restricted',
  spec: Partial<PodSpec>,
  annotations: Record<string, string> = {},
): readonly string[] => {
  const pod = { metadata: { annotations }, spec: { containers: [{ name: 'a' }], ...spec } };
  return violationsOf(pod, { level, version: 'latest' }).details;
};
const withContext = (
  securityContext: Container['securityContext'],
  more: Partial<Container> = {},
): Partial<PodSpec> => ({
  containers: [{ name: 'a', securityContext, ...more }],
});

test('an ordinary pod keeps the baseline, a hardened one the restricted level', () => {
  assert.deepEqual(detailsOf('baseline', {}), []);
  assert.deepEqual(detailsOf('restricted', { ...withContext(HARDENED), ...hardenedPod }), []);
});

const BASELINE_CASES: readonly (readonly [spec: Partial<PodSpec>, expected: string])[] = [
  [
    { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
    'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
  ],
  [
    withContext({ capabilities: { add: ['CHOWN', 'NET_ADMIN', 'SYS_TIME'] } }),
    'non-default capabilities (container "a" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)',
  ],
  [{ hostNetwork: true, hostIPC: true }, 'host namespaces (hostNetwork=true, hostIPC=true)'],
  [{ volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
  [
    withContext(undefined, { ports: [{ containerPort: 1, hostPort: 80 }] }),
    'hostPort (container "a" uses hostPort 80)',
  ],
  [
    withContext(undefined, { livenessProbe: { httpGet: { port: 80, host: '10.0.0.1' } } }),
    'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
  ],
  [
    withContext({ privileged: true }),
    'privileged (container "a" must not set securityContext.privileged=true)',
  ],
  [
    withContext({ procMount: 'Unmasked' }),
    'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    { securityContext: { seLinuxOptions: { type: 'spc_t', user: 'root' } } },
    'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
  ],
  [
    withContext({ seccompProfile: { type: 'Unconfined' } }),
    'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    {
      securityContext: {
        sysctls: [
          { name: 'kernel.msgmax', value: '1' },
          { name: 'net.ipv4.tcp_rmem', value: '1' },
        ],
      },
    },
    'forbidden sysctls (kernel.msgmax)',
  ],
  [
    { securityContext: { windowsOptions: { hostProcess: true } } },
    'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
  ],
];

test('what breaks the baseline is told', () => {
  for (const [spec, expected] of BASELINE_CASES) assert.deepEqual(detailsOf('baseline', spec), [expected]);
  assert.deepEqual(
    detailsOf('baseline', {}, { 'container.apparmor.security.beta.kubernetes.io/a': 'unconfined' }),
    ['forbidden AppArmor profile (container.apparmor.security.beta.kubernetes.io/a="unconfined")'],
  );
  const privileged = { securityContext: { privileged: true } };
  const all = {
    initContainers: [{ name: 'i', ...privileged }],
    ephemeralContainers: [{ name: 'e', ...privileged }],
  };
  assert.deepEqual(detailsOf('baseline', all), [
    'privileged (containers "i", "e" must not set securityContext.privileged=true)',
  ]);
});

test('what breaks the restricted level is told, in its order', () => {
  assert.deepEqual(detailsOf('restricted', {}), [
    'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false)',
    'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])',
    'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ]);
  const only = (spec: Partial<PodSpec>): readonly string[] =>
    detailsOf('restricted', { ...withContext(HARDENED), ...hardenedPod, ...spec });
  assert.deepEqual(
    only({
      volumes: [
        { name: 'v', hostPath: { path: '/' } },
        { name: 'w', emptyDir: {} },
      ],
    }),
    ['restricted volume types (volume "v" uses restricted volume type "hostPath")'],
  );
  assert.deepEqual(only(withContext({ ...HARDENED, runAsUser: 0 })), [
    'runAsUser=0 (container "a" must not set runAsUser=0)',
  ]);
  assert.deepEqual(only(withContext({ ...HARDENED, runAsNonRoot: false })), [
    'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
  ]);
  assert.deepEqual(
    only(withContext({ ...HARDENED, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } })),
    [],
  );
  assert.deepEqual(only(withContext({ ...HARDENED, capabilities: { drop: ['ALL'], add: ['CHOWN'] } })), [
    'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add)',
  ]);
  assert.deepEqual(only(withContext({ ...HARDENED, seccompProfile: { type: 'Unconfined' } })), [
    'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
  ]);
});

test('the labels: nothing is privileged, nonsense is refused and taken for restricted, old versions are warned of', () => {
  const labelled = (labels: Record<string, string>) => ({ metadata: { name: 'n', labels } });
  assert.deepEqual(policyOf(labelled({}), 'enforce'), { level: 'privileged', version: 'latest' });
  const odd = labelled({
    'pod-security.kubernetes.io/enforce': 'strict',
    'pod-security.kubernetes.io/warn-version': '1.30',
  });
  assert.equal(policyOf(odd, 'enforce').level, 'restricted');
  assert.deepEqual(
    validatePolicyLabels(odd).map(({ field, message }) => `${field}: ${message}`),
    [
      'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
      'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"',
    ],
  );
  const old = labelled({ 'pod-security.kubernetes.io/enforce-version': 'v1.24' });
  assert.deepEqual(validatePolicyLabels(old), []);
  assert.match(policyWarnings(old).join(), /Podwright checks every version by the rules of v1\.36/);
});
