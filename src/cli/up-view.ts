// How `up` looks: one line per step, warning and log line; times count from the command's start. Colours only on a
// terminal.
import type { Event, Pod } from '../kube/api-types.ts';
import type { Colors } from './cli.ts';
import type { LogLine } from './follow-logs.ts';
import { newSteps, type Step, stepsOf } from './steps.ts';

const MARKS: Record<
  Exclude<Step['state'], 'waiting'>,
  { readonly mark: string; readonly color: 'green' | 'cyan' | 'red' }
> = {
  done: { mark: '✔', color: 'green' },
  doing: { mark: '…', color: 'cyan' },
  failed: { mark: '✖', color: 'red' },
};
const LOG_COLORS = ['blue', 'magenta', 'yellow', 'cyan', 'green'] as const;

export type UpView = {
  pod(pod: Pod): void;
  gone(pod: Pod): void;
  warning(pod: Pod, event: Event): void;
  log(line: LogLine): void;
};

export type UpViewOptions = {
  readonly write: (line: string) => void;
  readonly colors: Colors;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
};

export function createUpView({ write, colors, startedAtMs, nowMs }: UpViewOptions): UpView {
  const stepsByUid = new Map<string | undefined, readonly Step[]>();
  const toldWarnings = new Set<string>();
  const colorByContainer = new Map<string, (typeof LOG_COLORS)[number]>();

  const elapsed = (): string => colors.dim(`${((nowMs() - startedAtMs) / 1000).toFixed(2).padStart(7)}s`);
  const line = (pod: Pod, state: Exclude<Step['state'], 'waiting'>, text: string): void => {
    const { mark, color } = MARKS[state];
    write(`${elapsed()} ${colors[color](mark)} ${colors.bold(pod.metadata?.name ?? '')} ${text}`);
  };
  const colorOf = (key: string): (typeof LOG_COLORS)[number] => {
    const color =
      colorByContainer.get(key) ?? LOG_COLORS[colorByContainer.size % LOG_COLORS.length] ?? 'blue';
    colorByContainer.set(key, color);
    return color;
  };

  return {
    pod(pod) {
      const uid = pod.metadata?.uid;
      const steps = stepsOf(pod);
      for (const step of newSteps(stepsByUid.get(uid) ?? [], steps)) {
        if (step.state !== 'waiting')
          line(pod, step.state, `${step.name} ${colors.dim(step.detail)}`.trimEnd());
      }
      stepsByUid.set(uid, steps);
    },
    gone: (pod) => line(pod, 'done', 'removed'),
    warning(pod, { reason = '', message = '' }) {
      const text = `${reason}: ${message.replaceAll(/\s+/g, ' ')}`;
      const key = `${pod.metadata?.uid} ${text}`;
      if (toldWarnings.has(key)) return;
      toldWarnings.add(key);
      line(pod, 'failed', colors.yellow(text));
    },
    log({ pod, container, text }) {
      const name = `${pod}/${container}`;
      write(`${colors[colorOf(name)](`${name} |`)} ${text}`);
    },
  };
}
