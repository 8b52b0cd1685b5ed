// podwright trace: how a pod was started, step by step, as a waterfall in the terminal or as SVG. The steps are the
// engine's own memory: bounded, and gone when it restarts.
import { writeFile } from 'node:fs/promises';
import { PodwrightError } from '../base/errors.ts';
import type { Span } from '../base/spans.ts';
import { type Cli, type ExitCode, print } from './cli.ts';
import { podName } from './logs.ts';

export type TraceOptions = {
  /** Also what came after the start. */
  readonly all: boolean;
  readonly svg?: string | undefined;
};

/** Nothing done for this long: the start is over. */
const PAUSE_MS = 1_000;
const BAR_CELLS = 48;

/** Steps up to the first pause: the pod's start. */
export function startOf(all: readonly Span[]): readonly Span[] {
  let endMs = all[0]?.endMs ?? 0;
  const pause = all.findIndex((span) => {
    const isPause = span.startMs - endMs > PAUSE_MS;
    endMs = Math.max(endMs, span.endMs);
    return isPause;
  });
  return pause < 0 ? all : all.slice(0, pause);
}

type Frame = { readonly startMs: number; readonly lengthMs: number };

function frameOf(spans: readonly Span[]): Frame {
  const startMs = Math.min(...spans.map((span) => span.startMs));
  return { startMs, lengthMs: Math.max(...spans.map((span) => span.endMs)) - startMs || 1 };
}

/** One line a step: when it began, how long it took, where that lies in the whole. */
export function waterfall(spans: readonly Span[]): string {
  const frame = frameOf(spans);
  const cellOf = (atMs: number): number =>
    Math.min(BAR_CELLS - 1, Math.floor(((atMs - frame.startMs) / frame.lengthMs) * BAR_CELLS));
  const width = Math.max(...spans.map(({ name }) => name.length));
  const lines = spans.map(({ name, startMs, endMs, outcome }) => {
    const [from, to] = [cellOf(startMs), cellOf(endMs)];
    const bar = `${' '.repeat(from)}${'█'.repeat(to - from + 1)}`.padEnd(BAR_CELLS);
    const figures = `${(startMs - frame.startMs).toFixed(1).padStart(8)} ${(endMs - startMs).toFixed(1).padStart(8)}`;
    return `${name.padEnd(width)} ${figures}  ${bar}${outcome === 'ok' ? '' : ' failed'}`;
  });
  const head = `${'step'.padEnd(width)} ${'at ms'.padStart(8)} ${'took ms'.padStart(8)}`;
  return [head, ...lines.map((line) => line.trimEnd()), `${frame.lengthMs.toFixed(1)} ms in all`].join('\n');
}

const ROW_PIXELS = 20;
const NAME_PIXELS = 320;
const BAR_PIXELS = 640;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function svg(spans: readonly Span[]): string {
  const frame = frameOf(spans);
  const x = (atMs: number): number => NAME_PIXELS + ((atMs - frame.startMs) / frame.lengthMs) * BAR_PIXELS;
  const rows = spans.map(({ name, startMs, endMs, outcome }, index) => {
    const y = index * ROW_PIXELS;
    const width = Math.max(1, x(endMs) - x(startMs));
    const color = outcome === 'ok' ? '#3b82f6' : '#dc2626';
    return [
      `<text x="4" y="${y + 14}">${escaped(name)}</text>`,
      `<rect x="${x(startMs).toFixed(1)}" y="${y + 3}" width="${width.toFixed(1)}" height="14" fill="${color}"/>`,
      `<text x="${(x(endMs) + 4).toFixed(1)}" y="${y + 14}">${(endMs - startMs).toFixed(1)} ms</text>`,
    ].join('');
  });
  const size = `width="${NAME_PIXELS + BAR_PIXELS + 80}" height="${spans.length * ROW_PIXELS}"`;
  const style = 'font-family="sans-serif" font-size="12"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${rows.join('\n')}\n</svg>\n`;
}

export async function trace(cli: Cli, pod: string, options: TraceOptions): Promise<ExitCode> {
  const connection = await cli.connect();
  const all = await connection.trace({ namespace: cli.namespace, name: podName(pod) });
  if (all.length === 0) {
    const text = `trace pod ${podName(pod)}: this engine remembers no step of it; it was started by an earlier one, or long ago`;
    throw new PodwrightError('NotFound', text);
  }
  const shown = options.all ? all : startOf(all);
  if (options.svg === undefined) print(cli, waterfall(shown));
  else await writeFile(options.svg, svg(shown));
  return 0;
}
