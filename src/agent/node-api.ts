// Logs, exec, attach, port-forward, figures and usage of the containers here, for the API server: the part of the
// kubelet's HTTP API that kubectl and monitoring need.
// Errors are worded as the kubelet words them.
import type { ContainerId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { PodwrightError } from '../base/errors.ts';
import type { ContainerTarget, NodeApi, NodeUsageReport } from '../client/node-api.ts';
import type { Container, ContainerStatus, Pod } from '../kube/api-types.ts';
import type { Machine, ObservedPod } from '../machine/machine.ts';
import { podIdentity } from './container-config.ts';
import { everyContainer, hasRun, isRunning } from './container-instances.ts';
import { kubeletAnswer } from './kubelet-paths.ts';
import { createUsageMeter, type MeteredGroup, type Usage, workingSetOf } from './usage-meter.ts';

export type NodeApiOptions = {
  readonly machine: Machine;
  readonly clock: Clock;
  readonly nodeName: string;
  /** As the agent knows them. */
  readonly pods: () => readonly Pod[];
};

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

export function createNodeApi({ machine, clock, nodeName, pods }: NodeApiOptions): NodeApi {
  const meter = createUsageMeter({ machine, clock, pods });
  const findPod = (namespace: string, name: string): Pod | undefined =>
    pods().find(({ metadata }) => metadata?.namespace === namespace && metadata.name === name);
  const locate = ({ namespace, pod: name, container }: ContainerTarget): Located => {
    const pod = findPod(namespace, name);
    if (pod === undefined) throw new PodwrightError('NotFound', `pods "${name}" not found`);
    const chosen = chooseContainer(pod, container);
    return { pod, container: chosen, observed: machine.observe(podIdentity(pod).uid) };
  };
  const runningInstance = (target: ContainerTarget): ContainerId => {
    const { observed, container } = locate(target);
    const instance = observed.containers.find((one) => one.name === container.name && isRunning(one));
    if (instance !== undefined) return instance.id;
    throw new PodwrightError('BadRequest', `container not found ("${container.name}")`);
  };
  return {
    async logs(target, { previous, ...options }, signal) {
      const located = locate(target);
      const runs = located.observed.containers
        .filter((one) => one.name === located.container.name)
        .filter(hasRun);
      const instance = previous ? runs.at(-2) : runs.at(-1);
      if (instance === undefined) throw previous ? noPrevious(located) : notStarted(located);
      return machine.readLog(instance.id, options, signal);
    },
    exec: async ({ command, tty, stdin, stdout, stderr, signal, ...target }) =>
      machine.exec(runningInstance(target), { command, tty, stdin, stdout, stderr, signal }),
    attach: async ({ tty, stdin, stdout, stderr, signal, ...target }) =>
      machine.attach(runningInstance(target), { tty, stdin, stdout, stderr, signal }),
    async connectPort({ namespace, pod: name, port }) {
      const pod = findPod(namespace, name);
      if (pod === undefined) throw new PodwrightError('NotFound', `pods "${name}" not found`);
      return machine.connectPort(podIdentity(pod).uid, port);
    },
    get: (path) => kubeletAnswer(path, { nodeName, meter, pods }),
    usage: async () => usageReport(nodeName, await meter.usage()),
  };
}

function usageReport(nodeName: string, { atMs, windowMs, node, pods }: Usage): NodeUsageReport {
  const usageOf = (group: MeteredGroup) => ({
    cpuNanoCores: group.cpuNanoCores,
    memoryBytes: workingSetOf(group),
  });
  return {
    nodeName,
    atMs,
    windowMs,
    node: usageOf(node.group),
    pods: pods.map(({ pod, containers }) => ({
      namespace: pod.metadata?.namespace ?? '',
      name: pod.metadata?.name ?? '',
      containers: containers.map(({ name, group }) => ({ name, ...usageOf(group) })),
    })),
  };
}

type Located = { readonly pod: Pod; readonly container: Container; readonly observed: ObservedPod };

function chooseContainer(pod: Pod, wanted: string | undefined): Container {
  const { name, annotations } = pod.metadata ?? {};
  const containers = everyContainer(pod);
  const chosen = wanted ?? annotations?.[DEFAULT_CONTAINER] ?? onlyContainer(pod);
  const found = containers.find((container) => container.name === chosen);
  if (found !== undefined) return found;
  if (chosen === undefined) throw new PodwrightError('BadRequest', ambiguous(pod));
  throw new PodwrightError('BadRequest', `container ${chosen} is not valid for pod ${name}`);
}

function onlyContainer(pod: Pod): string | undefined {
  const containers = pod.spec?.containers ?? [];
  const isOnly = containers.length === 1 && (pod.spec?.initContainers ?? []).length === 0;
  return isOnly ? containers[0]?.name : undefined;
}

function ambiguous(pod: Pod): string {
  const names = (containers: readonly Container[] | undefined): string =>
    (containers ?? []).map((one) => one.name).join(' ');
  const inits = names(pod.spec?.initContainers);
  const text = `a container name must be specified for pod ${pod.metadata?.name}, choose one of: [${names(pod.spec?.containers)}]`;
  return inits === '' ? text : `${text} or one of the init containers: [${inits}]`;
}

function statusOf({ pod, container }: Located): ContainerStatus | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses].find((status) => status.name === container.name);
}

function notStarted(located: Located): PodwrightError {
  const { pod, container } = located;
  const reason = statusOf(located)?.state?.waiting?.reason ?? 'ContainerCreating';
  const where = `container "${container.name}" in pod "${pod.metadata?.name}"`;
  const isImage = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'].includes(
    reason,
  );
  const what = isImage ? 'trying and failing to pull image' : `waiting to start: ${reason}`;
  return new PodwrightError('BadRequest', `${where} is ${what}`);
}

function noPrevious({ pod, container }: Located): PodwrightError {
  return new PodwrightError(
    'BadRequest',
    `previous terminated container "${container.name}" in pod "${pod.metadata?.name}" not found`,
  );
}
