// Who is served now: so many requests at once, of one user at most half of them. What comes beyond waits in its user's own
// queue, and the queues are served in turn, so that one client's flood costs another at most its turn. What finds its queue
// full is told to come again: 429, as kube-apiserver's priority and fairness answers.
import { PodwrightError } from '../../base/errors.ts';
import { figures } from '../../base/figures.ts';

export type SeatBounds = {
  readonly seats: number;
  readonly perUser: number;
  /** Requests of one user that may wait. */
  readonly queue: number;
};

export type Seats = {
  /** Resolves with what gives the seat back. @throws TooManyRequests; the signal's reason for who went away waiting. */
  take(user: string, signal: AbortSignal): Promise<() => void>;
};

const rejected = figures.counter({
  name: 'apiserver_flowcontrol_rejected_requests_total',
  help: 'Number of requests rejected by API Priority and Fairness subsystem',
  labels: ['reason'],
});

type Waiting = { readonly start: () => void };
type Flow = { taken: number; readonly waiting: Set<Waiting> };

export function createSeats({ seats, perUser, queue }: SeatBounds): Seats {
  /** In the order of their turns. */
  const flows = new Map<string, Flow>();
  let taken = 0;

  const hasRoom = (flow: Flow): boolean => taken < seats && flow.taken < perUser;
  const forget = (user: string, flow: Flow): void => {
    if (flow.taken === 0 && flow.waiting.size === 0) flows.delete(user);
  };
  const seatNext = (): void => {
    for (const [user, flow] of flows) {
      const [next] = flow.waiting;
      if (next === undefined || !hasRoom(flow)) continue;
      flow.waiting.delete(next);
      flows.delete(user);
      flows.set(user, flow);
      next.start();
      return;
    }
  };
  const seat = (user: string, flow: Flow): (() => void) => {
    taken += 1;
    flow.taken += 1;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      taken -= 1;
      flow.taken -= 1;
      forget(user, flow);
      seatNext();
    };
  };
  return {
    async take(user, signal) {
      const flow = flows.get(user) ?? { taken: 0, waiting: new Set() };
      flows.set(user, flow);
      if (flow.waiting.size === 0 && hasRoom(flow)) return seat(user, flow);
      if (flow.waiting.size >= queue) {
        forget(user, flow);
        rejected({ reason: 'queue-full' });
        const text = 'Too many requests, please try again later.';
        throw new PodwrightError('TooManyRequests', text, { details: { retryAfterSeconds: 1 } });
      }
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          flow.waiting.delete(mine);
          forget(user, flow);
          reject(signal.reason);
        };
        const mine = {
          start: () => {
            signal.removeEventListener('abort', leave);
            resolve(seat(user, flow));
          },
        };
        flow.waiting.add(mine);
        signal.addEventListener('abort', leave, { once: true });
        if (signal.aborted) leave();
      });
    },
  };
}
