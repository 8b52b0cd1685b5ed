// What the kubelet answers to GET beside streams and logs: health, figures and statistics, which the API server shows at
// nodes/NAME/proxy/PATH.
import { FIGURES_TYPE, familiesText, figures } from '../base/figures.ts';
import type { NodeAnswer } from '../client/node-api.ts';
import type { Pod } from '../kube/api-types.ts';
import { cadvisorMetrics, resourceMetrics } from './resource-metrics.ts';
import { statsSummary } from './stats-summary.ts';
import type { UsageMeter } from './usage-meter.ts';

export type KubeletParts = {
  readonly nodeName: string;
  readonly meter: UsageMeter;
  readonly pods: () => readonly Pod[];
};

const JSON_TYPE = 'application/json';

const PATHS: { readonly [path: string]: (parts: KubeletParts) => Promise<NodeAnswer> } = {
  '/healthz': async () => ({ contentType: 'text/plain; charset=utf-8', body: 'ok' }),
  '/pods': async ({ pods }) => {
    return {
      contentType: JSON_TYPE,
      body: JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods() }),
    };
  },
  '/stats/summary': async ({ nodeName, meter }) => {
    return { contentType: JSON_TYPE, body: JSON.stringify(statsSummary(nodeName, await meter.usage())) };
  },
  '/metrics': async () => ({ contentType: FIGURES_TYPE, body: await figures.text('kubelet_') }),
  '/metrics/resource': async ({ meter }) => {
    return { contentType: FIGURES_TYPE, body: await familiesText(resourceMetrics(await meter.usage())) };
  },
  '/metrics/cadvisor': async ({ meter }) => {
    return { contentType: FIGURES_TYPE, body: await familiesText(cadvisorMetrics(await meter.usage())) };
  },
};

/** Undefined: the kubelet has nothing there. */
export async function kubeletAnswer(path: string, parts: KubeletParts): Promise<NodeAnswer | undefined> {
  return Object.hasOwn(PATHS, path) ? PATHS[path]?.(parts) : undefined;
}
