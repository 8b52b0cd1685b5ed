// The charts a person would want of a simulation.
import type { Outcome } from '../measurements.ts';
import { durationText } from './figures.ts';
import { fillMap, lineChart } from './svg.ts';

/** Optimistic runs that differ in the number of their schedulers alone. */
export type ConflictPoint = {
  readonly schedulers: number;
  readonly fine: number;
  readonly coarse: number;
};

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Steps that a clock has. */
const STEPS = [
  ...[1, 2, 5, 10, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 7, 30, 90, 365].map((days) => days * DAY),
];
const MARKS_MAX = 8;

function durationTicks(maxMs: number): readonly number[] {
  const step = STEPS.find((one) => maxMs / one <= MARKS_MAX) ?? maxMs;
  return Array.from({ length: Math.floor(maxMs / step) + 1 }, (_, index) => index * step);
}

const lastOf = (outcomes: readonly Outcome[], startMs: number): number =>
  Math.max(...outcomes.map(({ series }) => (series.atMs.at(-1) ?? startMs) - startMs));

const percentText = (share: number): string => `${Math.round(100 * share)} %`;

export function utilizationChart(outcomes: readonly Outcome[], resource: 'cpu' | 'memory' | 'gpu'): string {
  const startMs = Math.min(...outcomes.map(({ series }) => series.atMs[0] ?? 0));
  return lineChart({
    title: `Share of the cluster's ${resource} that is held`,
    xLabel: 'time since the first arrival',
    yLabel: resource,
    lines: outcomes.map(({ strategy, series }) => ({
      name: strategy,
      points: series.atMs.map((atMs, i) => [atMs - startMs, series[resource][i] ?? 0] as const),
    })),
    xText: durationText,
    xTicks: durationTicks(lastOf(outcomes, startMs)),
    yText: percentText,
  });
}

export function idleChart(outcomes: readonly Outcome[]): string {
  const startMs = Math.min(...outcomes.map(({ series }) => series.atMs[0] ?? 0));
  return lineChart({
    title: "Share of the cluster's cpu that is held and idle",
    xLabel: 'time since the first arrival',
    yLabel: 'cpu',
    lines: outcomes.map(({ strategy, series }) => ({
      name: strategy,
      points: series.atMs.map((atMs, i) => [atMs - startMs, series.idle[i] ?? 0] as const),
    })),
    xText: durationText,
    xTicks: durationTicks(lastOf(outcomes, startMs)),
    yText: (share) => `${(100 * share).toFixed(1)} %`,
  });
}

/** Powers of ten of seconds: waiting times differ by more than any other scale shows. */
export function waitChart(outcomes: readonly Outcome[]): string {
  const scaled = (ms: number): number => Math.log10(1 + ms / 1000);
  return lineChart({
    title: 'How long applications wait: this share of them no longer than this',
    xLabel: 'share of the placed applications',
    yLabel: 'waiting time',
    lines: outcomes.map(({ strategy, waitPercentilesMs }) => ({
      name: strategy,
      points: waitPercentilesMs.map((ms, percent) => [percent / 100, scaled(ms)] as const),
    })),
    xText: percentText,
    yText: (power) => durationText((10 ** power - 1) * 1000),
    yTicks: [0, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY].map(scaled),
  });
}

export function conflictChart(points: readonly ConflictPoint[]): string {
  const line = (name: string, of: (point: ConflictPoint) => number) => ({
    name,
    points: points.map((point) => [point.schedulers, of(point)] as const),
  });
  return lineChart({
    title: 'Optimistic: commits that lose the race, by the number of schedulers',
    xLabel: 'schedulers',
    yLabel: 'conflicts per commit',
    lines: [
      line('fine-grained detection', ({ fine }) => fine),
      line('coarse-grained detection', ({ coarse }) => coarse),
    ],
    xText: (schedulers) => String(Math.round(schedulers)),
    xTicks: points.map(({ schedulers }) => schedulers),
    yText: percentText,
    marks: 'lines-and-points',
  });
}

export function fillChart({ strategy, fill }: Outcome): string {
  return fillMap(`${strategy}: how full each node is at the busiest moment`, fill);
}
