// ResourceQuota: a new object, or a pod that grows, must fit into every quota it falls under (plugin/pkg/admission/resourcequota).
// What is used is counted in the store at the moment of the write; status.used is controllers/quota/'s.
import type { Container, Pod, ResourceQuota } from '../../kube/api-types.ts';
import { quantityMilli } from '../../kube/quantity.ts';
import {
  amountText,
  type Counted,
  fallsUnder,
  kindOfResource,
  sumUsage,
  type Usage,
  usageOf,
} from '../../kube/quota.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** A quota on one of these wants every container to say how much. */
const COMPUTE = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

function says({ resources }: Pick<Container, 'resources'>, resource: string): boolean {
  const [, list = 'requests', name = resource] = /^(requests|limits)\.(.+)$/.exec(resource) ?? [];
  return resources?.[list as 'requests' | 'limits']?.[name] !== undefined;
}

/** "limits.cpu for: a,b; requests.memory for: a"; "" when all is said. */
function unsaid({ spec }: Pod, resources: readonly string[]): string {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return resources
    .filter((resource) => COMPUTE.includes(resource) && !says({ resources: spec?.resources }, resource))
    .toSorted()
    .flatMap((resource) => {
      const silent = containers.filter((one) => !says(one, resource)).map(({ name }) => name);
      return silent.length === 0 ? [] : [`${resource} for: ${silent.join(',')}`];
    })
    .join('; ');
}

const listed = (names: readonly string[], usage: Usage): string =>
  names.map((name) => `${name}=${amountText(usage[name] ?? 0)}`).join(',');

/** What is there already, without the object itself. */
function usedBy(
  quota: ResourceQuota,
  resources: readonly string[],
  own: Counted,
  context: AdmissionContext,
): Usage {
  const { namespace, uid } = (own.object as Pod).metadata ?? {};
  const kinds = new Map(resources.map(kindOfResource).map((kind) => [`${kind.group}/${kind.plural}`, kind]));
  const usages = [...kinds.values()].flatMap((kind) =>
    context
      .list(kind.plural, namespace)
      .filter(({ metadata }) => metadata?.uid !== uid)
      .map((object): Counted => ({ ...kind, object }))
      .filter((one) => fallsUnder(quota, one))
      .map(usageOf),
  );
  return sumUsage(usages);
}

function check(quota: ResourceQuota, own: Counted, context: AdmissionContext): void {
  const { name = '' } = quota.metadata ?? {};
  const refuse = (why: string): Error => forbiddenError(own, (own.object as Pod).metadata?.name ?? '', why);
  const hard = Object.fromEntries(
    Object.entries(quota.spec?.hard ?? {}).map(([resource, quantity]) => [resource, quantityMilli(quantity)]),
  );
  if (own.group === '' && own.plural === 'pods') {
    const silent = unsaid(own.object as Pod, Object.keys(hard));
    if (silent !== '') throw refuse(`failed quota: ${name}: must specify ${silent}`);
  }
  const wanted = usageOf(own);
  const counted = Object.keys(hard).filter((resource) => (wanted[resource] ?? 0) > 0);
  if (counted.length === 0) return;
  const used = usedBy(quota, counted, own, context);
  const exceeded = counted
    .filter((one) => (used[one] ?? 0) + (wanted[one] ?? 0) > (hard[one] ?? 0))
    .toSorted();
  if (exceeded.length === 0) return;
  throw refuse(
    `exceeded quota: ${name}, requested: ${listed(exceeded, wanted)}, used: ${listed(exceeded, used)}, limited: ${listed(exceeded, hard)}`,
  );
}

export const quotaAdmission: AdmissionPlugin = {
  validate({ kind, part, object, old }, context) {
    const { namespace } = object.metadata ?? {};
    const grows = old === undefined || part === 'resize' || kind.plural === 'persistentvolumeclaims';
    if (!kind.namespaced || namespace === undefined || !grows) return;
    const own = { group: kind.group, plural: kind.plural, object };
    for (const quota of context.list('resourcequotas', namespace) as readonly ResourceQuota[]) {
      if (fallsUnder(quota, own)) check(quota, own, context);
    }
  },
};
