// The controller of ResourceQuotas: keeps status.hard and status.used (kube-controller-manager's resourcequota controller). It
// follows only the kinds that some quota counts: where there is none, it costs nothing.
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ResourceRef } from '../../client/resource-api.ts';
import { RESOURCE_QUOTAS } from '../../client/resources.ts';
import type { ResourceQuota } from '../../kube/api-types.ts';
import { amountText, type Counted, fallsUnder, kindOfResource, sumUsage, usageOf } from '../../kube/quota.ts';
import { type ControllerOptions, createController } from '../controller.ts';

export type QuotaControllerOptions = ControllerOptions & { readonly kinds: () => readonly ResourceRef[] };

/** The quotas whose status is not true, with the status that is. */
export function planQuotas(
  quotas: readonly ResourceQuota[],
  counted: readonly Counted[],
): readonly ResourceQuota[] {
  return quotas.flatMap((quota) => {
    const { hard = {} } = quota.spec ?? {};
    const { namespace } = quota.metadata ?? {};
    const own = counted.filter(
      (one) => (one.object as KubeObject).metadata?.namespace === namespace && fallsUnder(quota, one),
    );
    const sum = sumUsage(own.map(usageOf));
    const used = Object.fromEntries(
      Object.keys(hard).map((resource) => [resource, amountText(sum[resource] ?? 0)]),
    );
    const status = { hard, used };
    return isDeepStrictEqual(status, quota.status) ? [] : [{ ...quota, status }];
  });
}

/** Runs until the signal aborts. */
export function runQuotaController(options: QuotaControllerOptions, signal: AbortSignal): Promise<void> {
  const { follow, run } = createController(options, signal);
  const quotas = follow(RESOURCE_QUOTAS);
  type Followed = { readonly ref: ResourceRef; readonly objects: ReadonlyMap<string, KubeObject> };
  const followed = new Map<string, Followed>();
  /** Whether something is counted that was not before. */
  const followCounted = (): boolean => {
    const before = followed.size;
    const resources = [...quotas.values()].flatMap(({ spec }) => Object.keys(spec?.hard ?? {}));
    for (const { group, plural } of resources.map(kindOfResource)) {
      const id = `${group}/${plural}`;
      const ref = options.kinds().find((one) => one.group === group && one.plural === plural);
      if (ref === undefined || followed.has(id)) continue;
      followed.set(id, { ref, objects: follow(ref) });
    }
    return followed.size > before;
  };
  return run({
    name: 'the quotas',
    plan: () => {
      // What is new is read first; that makes another pass.
      if (followCounted()) return { steps: [] };
      const counted = [...followed.values()].flatMap(({ ref: { group, plural }, objects }) =>
        [...objects.values()].map((object): Counted => ({ group, plural, object })),
      );
      return { steps: planQuotas([...quotas.values()], counted) };
    },
    perform: async (quota) => {
      await options.api.update(RESOURCE_QUOTAS, quota, { subresource: 'status' });
    },
  });
}
