// Time as a parameter: the engines never read the clock or set a timer themselves, so that tests run them on virtual
// time. Milliseconds since the epoch everywhere.

export type CancelTimer = () => void;

export type Clock = {
  nowMs(): number;
  /** Calls back once, not before atMs. A real clock's timers do not keep the process alive. */
  at(atMs: number, callback: () => void): CancelTimer;
};

/** setTimeout fires at once above 2^31-1 ms; a longer wait is cut into pieces of this length. */
const TIMER_MS_MAX = 2_000_000_000;

const EPOCH_MS = Date.now() - performance.now();

/**
 * The machine's time when this process began, and what has passed since. So whoever sets the machine's clock ends no wait and
 * makes none longer; the next engine begins with the new time.
 */
export function systemClock(): Clock {
  const nowMs = (): number => Math.floor(EPOCH_MS + performance.now());
  const at = (atMs: number, callback: () => void): CancelTimer => {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = atMs - nowMs();
      timer = setTimeout(leftMs > TIMER_MS_MAX ? arm : callback, Math.max(0, Math.min(leftMs, TIMER_MS_MAX)));
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  };
  return { nowMs, at };
}

/** RFC 3339 with whole seconds, as Kubernetes' metav1.Time is written. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
