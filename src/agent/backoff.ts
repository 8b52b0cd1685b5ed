// The kubelet's restart back-off as arithmetic over what the machine remembers. No timer, no table: the streak of
// restarts is written on each instance when it is made.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
import { BOUNDS } from '../base/bounds.ts';
import type { ContainerState } from '../machine/model/container.ts';

/** min, 2 min, 4 min ... max for times = 1, 2, 3 ...; 0 for times = 0. */
export function doublingBackoffMs(times: number, minMs: number, maxMs: number): number {
  return times <= 0 ? 0 : Math.min(minMs * 2 ** (times - 1), maxMs);
}

export type ExitedState = Extract<ContainerState, { kind: 'exited' }>;

/** @param streak restarts in a row that led to the exited instance. */
export function restartOf(
  exited: ExitedState,
  streak: number,
  maxMs?: number,
): { readonly streak: number; readonly atMs: number } {
  const ranMs = exited.finishedAtMs - (exited.startedAtMs ?? exited.finishedAtMs);
  const counted = ranMs >= BOUNDS.restartBackoffResetMs ? 0 : streak;
  const waitMs = restartDelayMs(counted, maxMs);
  return { streak: counted + 1, atMs: exited.finishedAtMs + waitMs };
}

/** At once, 10 s, 20 s ... 300 s. A maximum below 10 s is also the first wait (KEP-5593). */
export function restartDelayMs(streak: number, maxMs: number = BOUNDS.restartBackoffMsMax): number {
  return doublingBackoffMs(streak, Math.min(BOUNDS.restartBackoffMsMin, maxMs), maxMs);
}

/** As Go prints a duration of whole seconds: "10s", "1m20s", "5m0s". */
export function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
