// Medians and percentiles of a few dozen samples, and the table they are printed in.

export type Summary = {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
};

/** Nearest rank: a percentile is always one of the samples. Throws on no samples. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (fraction: number): number => {
    const value = sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)];
    if (value === undefined) throw new Error('no samples');
    return value;
  };
  return { n: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), min: at(0), max: at(1) };
}

export type Row = {
  readonly what: string;
  readonly unit: string;
  readonly summary: Summary;
  /** What the ratio in the last column is against, in the same run. */
  readonly against?: { readonly what: string; readonly p50: number } | undefined;
};

const text = (value: number): string => value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 2);

/** A Markdown table: it is read in the terminal and pasted into the README. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ what, unit, summary, against }) => {
    const ratio = against === undefined ? '' : `${(summary.p50 / against.p50).toFixed(2)} x ${against.what}`;
    const cells = [
      what,
      String(summary.n),
      text(summary.p50),
      text(summary.p90),
      text(summary.p99),
      unit,
      ratio,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| what | n | p50 | p90 | p99 | unit | ratio of p50 |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}
