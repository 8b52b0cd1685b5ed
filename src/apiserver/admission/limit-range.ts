// LimitRange: containers that say nothing get the namespace's defaults; what is too little, too much or too far apart is refused
// (plugin/pkg/admission/limitranger).
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  Quantity,
} from '../../kube/api-types.ts';
import { effectiveLimits, effectiveRequests, qosClassOf, type ResourceAmounts } from '../../kube/pod.ts';
import { quantityMilli } from '../../kube/quantity.ts';
import { forbiddenError } from '../api-error.ts';
import type { AdmissionContext } from '../kind.ts';
import type { AdmissionPlugin } from './plugin.ts';

type Quantities = { readonly [name: string]: Quantity };
type Amounts = { readonly [name: string]: number };

function rangesOf(
  object: { readonly metadata?: Pod['metadata'] },
  context: AdmissionContext,
): readonly LimitRange[] {
  return context.list('limitranges', object.metadata?.namespace) as readonly LimitRange[];
}

function itemsOf(ranges: readonly LimitRange[], type: string): readonly LimitRangeItem[] {
  return ranges.flatMap(({ spec }) => (spec?.limits ?? []).filter((item) => item.type === type));
}

/** Later ranges fill in only what earlier ones left open. */
function withDefaults(container: Container, items: readonly LimitRangeItem[]): Container {
  const { limits, requests } = items.reduce<{ limits: Quantities; requests: Quantities }>(
    (filled, item) => ({
      limits: { ...item.default, ...filled.limits },
      requests: { ...item.defaultRequest, ...filled.requests },
    }),
    { limits: container.resources?.limits ?? {}, requests: container.resources?.requests ?? {} },
  );
  const some = (list: Quantities, name: 'limits' | 'requests') =>
    Object.keys(list).length > 0 ? { [name]: list } : {};
  return {
    ...container,
    resources: { ...container.resources, ...some(limits, 'limits'), ...some(requests, 'requests') },
  };
}

const amounts = (list: Quantities | undefined): Amounts =>
  Object.fromEntries(Object.entries(list ?? {}).map(([name, quantity]) => [name, quantityMilli(quantity)]));

/** One thing that is limited: a container, a pod's sum, a claim. */
type Asked = { readonly type: string; readonly requests: Amounts; readonly limits: Amounts };

function minErrors({ type, requests, limits }: Asked, min: Quantities): string[] {
  return Object.entries(min).flatMap(([name, quantity]) => {
    const least = quantityMilli(quantity);
    const what = `minimum ${name} usage per ${type} is ${quantity}`;
    const [request, limit] = [requests[name], limits[name]];
    if (request === undefined) return [`${what}.  No request is specified`];
    if (request < least) return [`${what}, but request is ${request / 1000}`];
    return limit !== undefined && limit < least ? [`${what}, but limit is ${limit / 1000}`] : [];
  });
}

function maxErrors({ type, requests, limits }: Asked, max: Quantities): string[] {
  return Object.entries(max).flatMap(([name, quantity]) => {
    const most = quantityMilli(quantity);
    const what = `maximum ${name} usage per ${type} is ${quantity}`;
    const [request, limit] = [requests[name], limits[name]];
    if (limit === undefined && type !== 'PersistentVolumeClaim') return [`${what}.  No limit is specified`];
    if (limit !== undefined && limit > most) return [`${what}, but limit is ${limit / 1000}`];
    return request !== undefined && request > most ? [`${what}, but request is ${request / 1000}`] : [];
  });
}

function ratioErrors({ type, requests, limits }: Asked, ratios: Quantities): string[] {
  return Object.entries(ratios).flatMap(([name, quantity]) => {
    const what = `${name} max limit to request ratio per ${type} is ${quantity}`;
    const [request = 0, limit = 0] = [requests[name], limits[name]];
    if (request === 0) return [`${what}, but no request is specified or request is 0`];
    if (limit === 0) return [`${what}, but no limit is specified or limit is 0`];
    const ratio = limit / request;
    return ratio * 1000 > quantityMilli(quantity)
      ? [`${what}, but provided ratio is ${ratio.toFixed(6)}`]
      : [];
  });
}

function errorsOf(asked: Asked, items: readonly LimitRangeItem[]): string[] {
  return items.flatMap(({ min = {}, max = {}, maxLimitRequestRatio = {} }) => [
    ...minErrors(asked, min),
    ...maxErrors(asked, max),
    ...ratioErrors(asked, maxLimitRequestRatio),
  ]);
}

/** From effective amounts, in which only cpu is in thousandths. */
const thousandths = (list: ResourceAmounts): Amounts =>
  Object.fromEntries(
    Object.entries(list).map(([name, amount]) => [name, name === 'cpu' ? amount : amount * 1000]),
  );

function podErrors({ spec }: Pod, ranges: readonly LimitRange[]): string[] {
  if (spec === undefined) return [];
  const containers = [...spec.containers, ...(spec.initContainers ?? [])].map(({ resources }) => ({
    type: 'Container',
    requests: amounts(resources?.requests),
    limits: amounts(resources?.limits),
  }));
  const sum = {
    type: 'Pod',
    requests: thousandths(effectiveRequests(spec)),
    limits: thousandths(effectiveLimits(spec)),
  };
  return [
    ...containers.flatMap((one) => errorsOf(one, itemsOf(ranges, 'Container'))),
    ...errorsOf(sum, itemsOf(ranges, 'Pod')),
  ];
}

function claimErrors({ spec }: PersistentVolumeClaim, ranges: readonly LimitRange[]): string[] {
  const asked = { type: 'PersistentVolumeClaim', requests: amounts(spec?.resources?.requests), limits: {} };
  return errorsOf(asked, itemsOf(ranges, asked.type));
}

export const limitRangeAdmission: AdmissionPlugin = {
  mutate({ kind, object }, context) {
    const pod = object as Pod;
    if (kind.kind !== 'Pod' || pod.spec === undefined) return object;
    const items = itemsOf(rangesOf(pod, context), 'Container');
    if (items.length === 0) return object;
    const { containers, initContainers } = pod.spec;
    const filled = (one: Container): Container => withDefaults(one, items);
    const spec = {
      ...pod.spec,
      containers: containers.map(filled),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(filled) }),
    };
    return { ...pod, spec, status: { ...pod.status, qosClass: qosClassOf(spec) } } as Pod;
  },
  validate({ kind, part, object, old }, context) {
    const isPod = kind.kind === 'Pod' && (old === undefined || part === 'resize');
    const isClaim = kind.kind === 'PersistentVolumeClaim' && part === 'main';
    if (!isPod && !isClaim) return;
    const ranges = rangesOf(object, context);
    if (ranges.length === 0) return;
    const errors = isPod
      ? podErrors(object as Pod, ranges)
      : claimErrors(object as PersistentVolumeClaim, ranges);
    if (errors.length === 0) return;
    const why = errors.length === 1 ? errors.join('') : `[${errors.join(', ')}]`;
    throw forbiddenError(kind, object.metadata?.name ?? '', why);
  },
};

/** What a range leaves out follows from what it says (SetDefaults_LimitRangeItem). */
export function defaultLimitRange(range: LimitRange): LimitRange {
  if (range.spec?.limits === undefined) return range;
  const limits = range.spec.limits.map((item) => {
    if (item.type !== 'Container') return item;
    const limit = { ...item.max, ...item.default };
    const request = { ...item.min, ...limit, ...item.defaultRequest };
    return {
      ...item,
      ...(Object.keys(limit).length > 0 ? { default: limit } : {}),
      ...(Object.keys(request).length > 0 ? { defaultRequest: request } : {}),
    };
  });
  return { ...range, spec: { ...range.spec, limits } };
}
