// pods/<name>/eviction: a deletion that asks the pod's PodDisruptionBudget first (pkg/registry/core/pod/storage/eviction.go).
// What a budget allows is its status, which controllers/disruption/ keeps; taking one is a compare-and-swap on it.
import { timeText } from '../base/clock.ts';
import { PodwrightError } from '../base/errors.ts';
import { POD_DISRUPTION_BUDGETS } from '../client/resources.ts';
import type { DeleteOptions, Eviction, Pod, PodDisruptionBudget } from '../kube/api-types.ts';
import { labelSelectorMatcher } from '../kube/label-selector.ts';
import { isReady, isTerminal } from '../kube/pod.ts';
import { badRequest, forbiddenError } from './api-error.ts';
import { deleteObject } from './delete.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import { getObject } from './read.ts';
import { decodeAs, type ServerParts, type WriteRequest } from './request.ts';
import { changeObject } from './update.ts';

const EVICTION = { group: 'policy', version: 'v1', kind: 'Eviction', schema: 'Eviction' } as const;
/** Seconds after which a client tries again by itself while the budget's status is not up to date. */
const RETRY_SECONDS = 10;

function tooMany(message: string, retryAfterSeconds?: number): PodwrightError {
  const text = "Cannot evict pod as it would violate the pod's disruption budget.";
  return new PodwrightError('TooManyRequests', text, {
    details: { retryAfterSeconds, causes: [{ reason: 'DisruptionBudget', message }] },
  });
}

/** The budget with one disruption fewer. @throws TooManyRequests, Forbidden */
function spend(budget: PodDisruptionBudget, pod: Pod, nowMs: number): PodDisruptionBudget {
  const { name = '', generation = 0 } = budget.metadata ?? {};
  const { status = {} } = budget;
  const { disruptionsAllowed = 0, desiredHealthy = 0, currentHealthy = 0, observedGeneration = 0 } = status;
  if (observedGeneration < generation)
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, RETRY_SECONDS);
  if (disruptionsAllowed < 0)
    throw forbiddenError(POD_DISRUPTION_BUDGETS, name, 'pdb disruptions allowed is negative');
  if (disruptionsAllowed === 0) {
    const why = `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
    throw tooMany(`The disruption budget ${name} ${why}`);
  }
  const disruptedPods = { ...status.disruptedPods, [pod.metadata?.name ?? '']: timeText(nowMs) };
  return { ...budget, status: { ...status, disruptionsAllowed: disruptionsAllowed - 1, disruptedPods } };
}

/** An unhealthy pod costs a budget nothing where its policy says so. */
function mayGoUnhealthy({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = status ?? {};
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy;
}

function kindOf(parts: ServerParts, plural: string): Kind {
  const kind = parts.kinds.find((one) => one.plural === plural);
  if (kind === undefined) throw new Error(`there is no kind ${plural}`);
  return kind;
}

async function askBudget(parts: ServerParts, request: WriteRequest, pod: Pod): Promise<void> {
  const { namespace = '', labels = {} } = pod.metadata ?? {};
  const kind = kindOf(parts, 'poddisruptionbudgets');
  const page = kindStore(parts.store, kind).list({ namespace });
  const budgets = (page.values as readonly PodDisruptionBudget[]).filter(({ spec }) =>
    labelSelectorMatcher(spec?.selector)(labels),
  );
  const [budget] = budgets;
  if (budget === undefined) return;
  if (budgets.length > 1) {
    const why =
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new PodwrightError('InternalError', why);
  }
  if (!isReady(pod) && mayGoUnhealthy(budget)) return;
  const name = budget.metadata?.name;
  await changeObject(parts, { ...request, kind, name, namespace, part: 'status' }, (current) =>
    spend(current as PodDisruptionBudget, pod, parts.clock.nowMs()),
  );
}

/** What ends anyway, or has not begun, disrupts nobody. */
function disruptsNobody(pod: Pod): boolean {
  return isTerminal(pod) || pod.status?.phase === 'Pending' || pod.metadata?.deletionTimestamp !== undefined;
}

/** The pod says why it goes. */
async function announce(parts: ServerParts, request: WriteRequest): Promise<void> {
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: timeText(parts.clock.nowMs()),
  };
  await changeObject(parts, { ...request, part: 'status' }, (current) => {
    const { status = {} } = current as Pod;
    const others = (status.conditions ?? []).filter(({ type }) => type !== condition.type);
    return { ...current, status: { ...status, conditions: [...others, condition] } };
  });
}

type EvictOptions = DeleteOptions & { readonly dryRun?: readonly string[] | undefined };

/** @throws TooManyRequests when the budget allows no disruption now. */
export async function evictPod(parts: ServerParts, given: WriteRequest, body: unknown): Promise<void> {
  const { kind, namespace, name = '' } = given;
  const { metadata, deleteOptions } = decodeAs(given, EVICTION, body) as Eviction;
  if (metadata?.name !== undefined && metadata.name !== name)
    throw badRequest('name in URL does not match name in Eviction object');
  const { gracePeriodSeconds, preconditions, dryRun } = (deleteOptions ?? {}) as EvictOptions;
  const request = { ...given, dryRun: given.dryRun || (dryRun ?? []).includes('All') };
  const pod = getObject(parts, kind, { namespace, name }) as Pod;
  const { uid } = pod.metadata ?? {};
  if (!disruptsNobody(pod)) {
    await askBudget(parts, request, pod);
    await announce(parts, request);
  }
  const options = { gracePeriodSeconds, preconditions: { uid, ...preconditions } };
  await deleteObject(parts, { kind, namespace, name, dryRun: request.dryRun, options });
}
