// What the agent is told of a pod, out of the records. Pure.
import type { PodUid } from '../base/brand.ts';
import { containerIdOf } from './layout.ts';
import type { ObservedPod } from './machine.ts';
import type { ContainerState, ObservedContainer } from './model/container.ts';
import type { ObservedSandbox, SandboxState } from './model/sandbox.ts';
import { type ContainerRecord, instanceOf, type PodRecord, type SandboxRecord } from './records.ts';

function sandboxState(record: SandboxRecord): SandboxState {
  if (record.phase === 'creating') return { kind: 'incomplete' };
  return record.phase === 'ready' ? { kind: 'ready', ips: record.ips } : { kind: 'notReady' };
}

function containerState({ phase, exit, process, startedAtMs }: ContainerRecord): ContainerState {
  if (phase === 'exited' && exit !== undefined) return exit;
  if (phase === 'running' && process !== undefined && startedAtMs !== undefined)
    return { kind: 'running', startedAtMs, pid: process.pid };
  return phase === 'creating' ? { kind: 'incomplete' } : { kind: 'created' };
}

function observeSandbox(record: SandboxRecord): ObservedSandbox {
  const { attempt, podResources } = record.config;
  return { attempt, podResources, createdAtMs: record.createdAtMs, state: sandboxState(record) };
}

function observeContainer(record: ContainerRecord): ObservedContainer {
  const { name, attempt, sandboxAttempt, image, imageId, annotations, resources } = record.config;
  return {
    id: containerIdOf(instanceOf(record.config)),
    name,
    attempt,
    sandboxAttempt,
    image,
    imageId,
    createdAtMs: record.createdAtMs,
    state: containerState(record),
    stopSignalledAtMs: record.stopSignalledAtMs,
    resources,
    annotations,
  };
}

export function observePod(
  pod: PodRecord | undefined,
  volumes: (uid: PodUid) => readonly string[],
): ObservedPod {
  if (pod === undefined) return { sandboxes: [], containers: [], volumes: [] };
  const sandboxes = [...pod.sandboxes.values()].map(observeSandbox);
  const containers = [...pod.containers.values()].map(observeContainer);
  return {
    sandboxes: sandboxes.sort((a, b) => a.attempt - b.attempt),
    containers: containers.sort((a, b) =>
      a.name === b.name ? a.attempt - b.attempt : a.name < b.name ? -1 : 1,
    ),
    volumes: volumes(pod.identity.uid),
  };
}
