// The figures of outcomes as rows of text: one column a strategy. Shared by the terminal's table and the HTML report.
import type { Outcome } from '../measurements.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });

/** "38 s", "57 min", "2.1 h", "3.4 d". */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds === 0) return '0';
  if (seconds < 1) return `${ms.toFixed(0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  const rounded = (amount: number): string => String(Number(amount.toFixed(1)));
  if (seconds < 172_800) return `${rounded(seconds / 3600)} h`;
  return `${rounded(seconds / 86_400)} d`;
}

type Figure = { readonly name: string; readonly text: (outcome: Outcome) => string };

const FIGURES: readonly Figure[] = [
  { name: 'applications', text: ({ apps }) => count(apps) },
  { name: 'placed whole', text: ({ placed }) => count(placed) },
  { name: 'half-placed at the end', text: ({ halfPlaced }) => count(halfPlaced) },
  { name: 'half-placed at some time', text: ({ everHalfPlaced }) => count(everHalfPlaced) },
  { name: 'waiting at the end', text: ({ waitingAtEnd }) => count(waitingAtEnd) },
  { name: 'that can never fit', text: ({ neverFitCount }) => count(neverFitCount) },
  { name: 'gated', text: ({ gated }) => count(gated) },
  { name: 'wait p50', text: ({ waitMs }) => durationText(waitMs.p50) },
  { name: 'wait p90', text: ({ waitMs }) => durationText(waitMs.p90) },
  { name: 'wait p99', text: ({ waitMs }) => durationText(waitMs.p99) },
  { name: 'cpu held', text: ({ utilization }) => percent(utilization.cpu) },
  { name: 'memory held', text: ({ utilization }) => percent(utilization.memory) },
  { name: 'gpu held', text: ({ utilization }) => percent(utilization.gpu) },
  { name: 'cpu held and idle', text: ({ idleShare }) => percent(idleShare) },
  { name: 'deadlocks', text: ({ deadlocks }) => count(deadlocks) },
  { name: 'conflict fraction', text: ({ conflictFraction }) => percent(conflictFraction) },
  { name: 'retries', text: ({ retries }) => count(retries) },
  { name: 'evictions', text: ({ evictions }) => count(evictions) },
  { name: 'decisions', text: ({ decisions }) => count(decisions) },
  { name: 'decisions per second', text: ({ decisionsPerSecond }) => count(decisionsPerSecond) },
  { name: 'wall time', text: ({ wallMs }) => `${(wallMs / 1000).toFixed(2)} s` },
  { name: 'peak memory', text: ({ peakMemoryBytes }) => `${(peakMemoryBytes / 2 ** 20).toFixed(0)} MiB` },
];

export type FigureTable = {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

export function figureTable(outcomes: readonly Outcome[]): FigureTable {
  return {
    header: ['', ...outcomes.map(({ strategy }) => strategy.toUpperCase())],
    rows: FIGURES.map(({ name, text }) => [name, ...outcomes.map(text)]),
  };
}
