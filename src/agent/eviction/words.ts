// What the kubelet says of an eviction. Pure.
import type { Container } from '../../kube/api-types.ts';
import { canonicalQuantity } from '../../kube/canonical-quantity.ts';
import { SIGNALS, type StarvedResource, type Threshold } from '../../kube/eviction-thresholds.ts';
import { quantityValue } from '../../kube/quantity.ts';
import type { Observations } from './pressure.ts';

/** As resource.Quantity prints a whole number: the largest binary suffix that loses nothing. */
export function binaryText(value: number): string {
  const whole = Math.max(0, Math.floor(value));
  return whole % 1024 === 0 && whole > 0 ? (canonicalQuantity(`${whole / 1024}Ki`) ?? '') : String(whole);
}

export type ContainerUse = {
  readonly name: string;
  readonly memoryBytes: number;
  readonly diskBytes: number;
};

export type PressureStory = {
  readonly threshold: Threshold;
  readonly observations: Observations;
  readonly containers: readonly Container[];
  readonly uses: readonly ContainerUse[];
};

export function pressureMessage({ threshold, observations, containers, uses }: PressureStory): string {
  const resource: StarvedResource = SIGNALS[threshold.signal];
  const { available, capacity } = observations[threshold.signal];
  const least =
    threshold.percent === undefined ? threshold.text : binaryText((capacity * threshold.percent) / 100);
  const greedy = containers.flatMap(({ name, resources }) => {
    const use = uses.find((one) => one.name === name);
    if (use === undefined || (resource !== 'memory' && resource !== 'ephemeral-storage')) return [];
    const request = resources?.requests?.[resource] ?? '0';
    const used = resource === 'memory' ? use.memoryBytes : use.diskBytes;
    if (used <= quantityValue(request)) return [];
    return `Container ${name} was using ${binaryText(used)}, request is ${request}, has larger consumption of ${resource}. `;
  });
  return `The node was low on resource: ${resource}. Threshold quantity: ${least}, available: ${binaryText(available)}. ${greedy.join('')}`;
}

export const refusalMessage = (conditions: readonly string[]): string =>
  `The node had condition: [${conditions.join(' ')}]. `;
