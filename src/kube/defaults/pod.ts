// What Kubernetes fills into a pod that leaves it out (pkg/apis/core/v1/defaults.go, and the admission plug-ins that run
// in every cluster: ServiceAccount). Pure; each function returns a new object that shares the given parts.
import type {
  Container,
  ContainerPort,
  DownwardAPIProjection,
  DownwardAPIVolumeSource,
  EnvVar,
  Lifecycle,
  Pod,
  PodSpec,
  Probe,
  ResourceRequirements,
  Volume,
} from '../api-types.ts';
import { parseImageReference } from '../image-reference.ts';
import { qosClassOf } from '../pod.ts';

const DEFAULT_FILE_MODE = 0o644;

/** The object with `defaults` where it says nothing; an empty string says nothing, as in Kubernetes' own types. */
function fill<T extends object>(defaults: Partial<T>, object: T): T {
  const said = Object.entries(object).filter(([, value]) => value !== undefined && value !== '');
  return { ...object, ...defaults, ...Object.fromEntries(said) };
}

function pullPolicy(image: string | undefined): string {
  try {
    return parseImageReference(image ?? '').tag === 'latest' ? 'Always' : 'IfNotPresent';
  } catch {
    // Validation names what is wrong with the image.
    return 'IfNotPresent';
  }
}

function defaultProbe(probe: Probe): Probe {
  return {
    ...probe,
    // A zero says nothing here.
    timeoutSeconds: probe.timeoutSeconds || 1,
    periodSeconds: probe.periodSeconds || 10,
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
    ...(probe.httpGet && { httpGet: fill({ path: '/', scheme: 'HTTP' }, probe.httpGet) }),
    ...(probe.grpc && { grpc: { service: '', ...probe.grpc } }),
  };
}

function defaultLifecycle(lifecycle: Lifecycle): Lifecycle {
  const handler = (one: Lifecycle['preStop']): Lifecycle['preStop'] =>
    one?.httpGet ? { ...one, httpGet: fill({ path: '/', scheme: 'HTTP' }, one.httpGet) } : one;
  return {
    ...lifecycle,
    ...(lifecycle.postStart && { postStart: handler(lifecycle.postStart) }),
    ...(lifecycle.preStop && { preStop: handler(lifecycle.preStop) }),
  };
}

/** The files of a downwardAPI volume or projection. */
function defaultDownward<T extends DownwardAPIVolumeSource | DownwardAPIProjection>(source: T): T {
  const items = source.items?.map((item) => ({
    ...item,
    ...(item.fieldRef && { fieldRef: fill({ apiVersion: 'v1' }, item.fieldRef) }),
    ...(item.resourceFieldRef && { resourceFieldRef: { divisor: '0', ...item.resourceFieldRef } }),
  }));
  return items === undefined ? source : { ...source, items };
}

function defaultSource(volume: Volume): Volume {
  const { downwardAPI, projected, image, ephemeral } = volume;
  if (image !== undefined)
    return { ...volume, image: fill({ pullPolicy: pullPolicy(image.reference) }, image) };
  if (downwardAPI !== undefined) return { ...volume, downwardAPI: defaultDownward(downwardAPI) };
  if (ephemeral?.volumeClaimTemplate?.spec !== undefined) {
    const template = ephemeral.volumeClaimTemplate;
    const spec = { volumeMode: 'Filesystem', ...template.spec };
    return { ...volume, ephemeral: { volumeClaimTemplate: { ...template, spec } } };
  }
  if (projected?.sources === undefined) return volume;
  const sources = projected.sources.map((source) => ({
    ...source,
    ...(source.downwardAPI && { downwardAPI: defaultDownward(source.downwardAPI) }),
    ...(source.serviceAccountToken && {
      serviceAccountToken: { expirationSeconds: 3600, ...source.serviceAccountToken },
    }),
  }));
  return { ...volume, projected: { ...projected, sources } };
}

function defaultEnv(variable: EnvVar): EnvVar {
  const fieldRef = variable.valueFrom?.fieldRef;
  const resourceFieldRef = variable.valueFrom?.resourceFieldRef;
  if (fieldRef !== undefined) {
    return {
      ...variable,
      valueFrom: { ...variable.valueFrom, fieldRef: fill({ apiVersion: 'v1' }, fieldRef) },
    };
  }
  if (resourceFieldRef === undefined) return variable;
  return {
    ...variable,
    valueFrom: { ...variable.valueFrom, resourceFieldRef: { divisor: '0', ...resourceFieldRef } },
  };
}

function defaultResources(resources: ResourceRequirements): ResourceRequirements {
  if (resources.limits === undefined) return resources;
  return { ...resources, requests: { ...resources.limits, ...resources.requests } };
}

function defaultPort(port: ContainerPort, spec: PodSpec): ContainerPort {
  const hostPort =
    spec.hostNetwork === true && port.hostPort === undefined ? { hostPort: port.containerPort } : {};
  return fill({ protocol: 'TCP' }, { ...port, ...hostPort });
}

function defaultContainer(container: Container, spec: PodSpec): Container {
  const probes = (['livenessProbe', 'readinessProbe', 'startupProbe'] as const).flatMap((name) => {
    const probe = container[name];
    return probe === undefined ? [] : [[name, defaultProbe(probe)] as const];
  });
  return fill(
    {
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      imagePullPolicy: pullPolicy(container.image),
    },
    {
      ...container,
      resources: defaultResources(container.resources ?? {}),
      ...(container.ports && { ports: container.ports.map((port) => defaultPort(port, spec)) }),
      ...(container.env && { env: container.env.map(defaultEnv) }),
      ...(container.lifecycle && { lifecycle: defaultLifecycle(container.lifecycle) }),
      ...Object.fromEntries(probes),
    },
  );
}

const VOLUME_SOURCE_DEFAULTS: { readonly [source: string]: object } = {
  secret: { defaultMode: DEFAULT_FILE_MODE },
  configMap: { defaultMode: DEFAULT_FILE_MODE },
  projected: { defaultMode: DEFAULT_FILE_MODE },
  downwardAPI: { defaultMode: DEFAULT_FILE_MODE },
  hostPath: { type: '' },
};

function defaultVolume(volume: Volume): Volume {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  // "A volume without a source is an emptyDir", for compatibility with the first versions of the API.
  if (sources.length === 0) return { ...volume, emptyDir: {} };
  const filled = Object.entries(volume).map(([source, value]) => {
    const defaults = VOLUME_SOURCE_DEFAULTS[source];
    return [source, defaults === undefined ? value : { ...defaults, ...(value as object) }];
  });
  return defaultSource(Object.fromEntries(filled) as Volume);
}

function defaultSpec(spec: PodSpec): PodSpec {
  // One field under two names. Which account a pod without one gets says admission.
  const account = spec.serviceAccountName || spec.serviceAccount;
  return fill(
    {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      securityContext: {},
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
    },
    {
      ...spec,
      ...(account ? { serviceAccountName: account, serviceAccount: account } : {}),
      containers: (spec.containers ?? []).map((container) => defaultContainer(container, spec)),
      ...(spec.initContainers && {
        initContainers: spec.initContainers.map((container) => defaultContainer(container, spec)),
      }),
      ...(spec.ephemeralContainers && {
        ephemeralContainers: spec.ephemeralContainers.map((container) => ({
          ...container,
          ...defaultContainer(container, spec),
        })),
      }),
      ...(spec.resources && { resources: defaultResources(spec.resources) }),
      ...(spec.volumes && { volumes: spec.volumes.map(defaultVolume) }),
    },
  );
}

/** The pod with its spec's defaults. Idempotent. */
export function defaultPod(pod: Pod): Pod {
  return pod.spec === undefined ? pod : { ...pod, spec: defaultSpec(pod.spec) };
}

/** The status every new pod starts with. */
export function initialPodStatus(spec: PodSpec): NonNullable<Pod['status']> {
  return { phase: 'Pending', qosClass: qosClassOf(spec) };
}
