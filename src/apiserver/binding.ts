// pods/<name>/binding: gives a pod its node, once (pkg/registry/core/pod/storage BindingREST).
import { BOUNDS } from '../base/bounds.ts';
import { timeText } from '../base/clock.ts';
import type { KubeObject } from '../client/resource-api.ts';
import { BINDINGS, PODS } from '../client/resources.ts';
import type { Binding, Pod } from '../kube/api-types.ts';
import { decode, isJsonObject } from '../kube/decode.ts';
import { invalidError, notSupported, required } from '../kube/field-error.ts';
import type { Write } from '../store/store.ts';
import { badRequest, conflictError, notFoundError } from './api-error.ts';
import type { NodeLedger } from './node-ledger.ts';
import { stamped, withMeta } from './object-meta.ts';
import type { ServerParts } from './request.ts';
import { storageKey } from './storage-key.ts';

function checkBinding(binding: Binding): string {
  const { kind = '', name = '' } = binding.target ?? {};
  const errors = [
    ...(['', 'Node'].includes(kind) ? [] : [notSupported('target.kind', kind, ['Node', '<empty>'])]),
    ...(name === '' ? [required('target.name')] : []),
  ];
  if (errors.length > 0) throw invalidError({ ...BINDINGS, name: binding.metadata?.name ?? '' }, errors);
  return name;
}

function bound(pod: Pod, nodeName: string, nowMs: number): Pod {
  const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timeText(nowMs) };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const changed = {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
  return withMeta(changed, { generation: (pod.metadata?.generation ?? 0) + 1 });
}

type Identity = { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined };

/** What the binding takes for granted of an object, where it does not hold. */
function whyOther(wanted: Identity, found: Identity): string | undefined {
  const { uid, resourceVersion } = wanted;
  if (uid && uid !== found.uid)
    return `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${found.uid}`;
  if (resourceVersion && resourceVersion !== found.resourceVersion)
    return `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${found.resourceVersion}`;
  return undefined;
}

/**
 * kube-apiserver's reasons, and two more, so that several schedulers may commit optimistically to one cluster: the node has
 * no room any more, or is another one than target.uid and target.resourceVersion say.
 */
function whyNotBound(pod: Pod, { metadata = {}, target }: Binding, ledger: NodeLedger): string | undefined {
  const { name } = pod.metadata ?? {};
  const nodeName = target?.name ?? '';
  const other = whyOther(metadata, pod.metadata ?? {});
  if (other !== undefined) return other;
  if (pod.metadata?.deletionTimestamp !== undefined)
    return `pod ${name} is being deleted, cannot be assigned to a host`;
  if (pod.spec?.nodeName)
    return `pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`;
  if ((pod.spec?.schedulingGates ?? []).length > 0) return `pod ${name} has non-empty .spec.schedulingGates`;
  const otherNode = whyOther(target ?? {}, ledger.node(nodeName)?.metadata ?? {});
  if (otherNode !== undefined) return `node ${nodeName}: ${otherNode}`;
  const noRoom = ledger.whyNoRoom(pod, nodeName);
  return noRoom === undefined ? undefined : `node ${nodeName} has no room for pod ${name}: ${noRoom}`;
}

export type BindRequest = {
  readonly namespace: string;
  readonly name?: string | undefined;
  readonly dryRun: boolean;
};

function decodeBinding(body: unknown): Binding {
  const decoded = decode<Binding>('Binding', body);
  if (decoded.ok) return decoded.object;
  throw badRequest(`Binding in version "v1" cannot be handled as a Binding: ${decoded.message}`);
}

function bindingWrite(parts: ServerParts, request: BindRequest, binding: Binding): Write<KubeObject> {
  const nodeName = checkBinding(binding);
  const name = request.name ?? binding.metadata?.name ?? '';
  return {
    key: storageKey(PODS, { namespace: request.namespace, name }),
    decide: (current, next) => {
      const pod = current as Pod | undefined;
      if (pod === undefined) throw notFoundError(PODS, name);
      const why = whyNotBound(pod, binding, parts.ledger);
      if (why !== undefined) throw conflictError(PODS, name, why);
      return { verb: 'put', value: stamped(bound(pod, nodeName, parts.clock.nowMs()), next) };
    },
  };
}

/** A Binding, or a List of them: then all or none, so that a group of pods cannot end half-bound. */
export async function bindPod(parts: ServerParts, request: BindRequest, body: unknown): Promise<Binding> {
  const items = request.name === undefined ? itemsOf(body) : undefined;
  const bindings = (items ?? [body]).map(decodeBinding);
  const writes = bindings.map((binding) => bindingWrite(parts, request, binding));
  if (!request.dryRun) await parts.store.writeTogether(writes);
  else for (const { key, decide } of writes) decide(parts.store.get(key), parts.store.revision);
  return items === undefined ? ((bindings[0] ?? {}) as Binding) : (body as Binding);
}

function itemsOf(body: unknown): readonly unknown[] | undefined {
  if (!isJsonObject(body) || body.kind !== 'List' || !Array.isArray(body.items)) return undefined;
  if (body.items.length > BOUNDS.bindingsTogether)
    throw badRequest(`at most ${BOUNDS.bindingsTogether} pods are bound together, not ${body.items.length}`);
  return body.items;
}
