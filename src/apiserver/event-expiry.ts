// Drops events an hour after they were last seen, as --event-ttl does.
import { BOUNDS } from '../base/bounds.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { EVENTS } from '../client/resources.ts';
import type { Event } from '../kube/api-types.ts';
import { stamped } from './object-meta.ts';
import type { ServerParts } from './request.ts';
import { storageKey, storagePrefix } from './storage-key.ts';

function lastSeenMs(event: Event): number {
  const { creationTimestamp } = event.metadata ?? {};
  return Date.parse(event.series?.lastObservedTime ?? event.lastTimestamp ?? creationTimestamp ?? '') || 0;
}

async function dropExpired(parts: ServerParts): Promise<void> {
  const endMs = parts.clock.nowMs() - BOUNDS.eventTtlMs;
  const { values } = parts.store.list({
    prefix: storagePrefix(EVENTS),
    where: (object) => lastSeenMs(object as Event) < endMs,
  });
  await Promise.all(
    values.map(({ metadata }) => {
      const key = storageKey(EVENTS, { namespace: metadata?.namespace, name: metadata?.name ?? '' });
      return parts.store.write(key, (current, next) =>
        current === undefined || lastSeenMs(current as Event) >= endMs
          ? { verb: 'keep' }
          : { verb: 'remove', value: stamped(current, next) },
      );
    }),
  );
}

/** Sweeps until the signal aborts. */
export function scheduleEventExpiry(parts: ServerParts, log: Log, signal: AbortSignal): void {
  const arm = (clock: Clock): void => {
    const cancel = clock.at(clock.nowMs() + BOUNDS.eventSweepMs, () => {
      signal.removeEventListener('abort', cancel);
      dropExpired(parts)
        .catch((error: unknown) => log.warn('events were not dropped', { error: errorText(error) }))
        .finally(() => {
          if (!signal.aborted) arm(clock);
        });
    });
    signal.addEventListener('abort', cancel, { once: true });
  };
  arm(parts.clock);
}
