// What the scheduler says of pods and groups: conditions and events, each news told once. It decides nothing.
import { type Clock, timeText } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type EventRecorder, referenceTo } from '../client/event-recorder.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { POD_GROUPS, PODS } from '../client/resources.ts';
import type { Pod, PodGroup } from '../kube/api-types.ts';

type News = {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
};
type Told = {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
};

export type ReportsOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
};

const keyOf = ({ metadata }: Pod | PodGroup) => ({
  namespace: metadata?.namespace ?? 'default',
  name: metadata?.name ?? '',
});

function isTold(conditions: readonly Told[] | undefined, { type, status, reason, message }: News): boolean {
  const before = conditions?.find((one) => one.type === type);
  return before?.status === status && before.reason === reason && before.message === message;
}

export class Reports {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.events.record({ regarding: referenceTo(pod), type, reason, message });
  }

  unschedulable(pod: Pod, message: string): void {
    const news: News = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
    if (isTold(pod.status?.conditions, news)) return;
    this.event(pod, 'Warning', 'FailedScheduling', message);
    void this.pod(pod, news);
  }

  gated(pod: Pod): void {
    const message = 'Scheduling is blocked due to non-empty scheduling gates';
    void this.pod(pod, { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message });
  }

  async pod(pod: Pod, news: News): Promise<void> {
    const conditions = pod.status?.conditions;
    if (!isTold(conditions, news)) await this.#write(PODS, pod, this.#condition(news, conditions));
  }

  async group(group: PodGroup, news: News): Promise<void> {
    const conditions = group.status?.conditions;
    if (!isTold(conditions, news)) await this.#write(POD_GROUPS, group, this.#condition(news, conditions));
  }

  #condition(news: News, before: readonly Told[] | undefined) {
    const last = before?.find(({ type }) => type === news.type);
    const now = timeText(this.#options.clock.nowMs());
    return { ...news, lastTransitionTime: last?.status === news.status ? last.lastTransitionTime : now };
  }

  /** A condition that cannot be written is not worth failing over: the next attempt writes it again. */
  async #write(
    ref: typeof PODS | typeof POD_GROUPS,
    object: Pod | PodGroup,
    condition: object,
  ): Promise<void> {
    const { api, log } = this.#options;
    const body = { status: { conditions: [condition] } };
    const patch = { type: 'application/strategic-merge-patch+json', body } as const;
    try {
      await api.patch<Pod | PodGroup>(ref, keyOf(object), patch, { subresource: 'status' });
    } catch (error) {
      log.debug('condition not written', { ...keyOf(object), kind: ref.kind, error: errorText(error) });
    }
  }
}
