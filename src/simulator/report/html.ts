// One HTML file with the figures and the charts, which loads nothing from anywhere.
import type { Outcome } from '../measurements.ts';
import {
  type ConflictPoint,
  conflictChart,
  fillChart,
  idleChart,
  utilizationChart,
  waitChart,
} from './charts.ts';
import { figureTable } from './figures.ts';
import { escapeXml } from './svg.ts';

export type Report = {
  readonly title: string;
  readonly seed: number;
  readonly outcomes: readonly Outcome[];
  readonly conflicts: readonly ConflictPoint[];
};

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem; text-align: right; border-bottom: 1px solid #e3e3e3; }
th:first-child, td:first-child { text-align: left; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); gap: 1rem; }
.charts svg { width: 100%; height: auto; border: 1px solid #e3e3e3; border-radius: 6px; }
.note { color: #a33; }`;

const row = (cells: readonly string[], tag: 'td' | 'th'): string =>
  `<tr>${cells.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join('')}</tr>`;

function notes(outcomes: readonly Outcome[]): string {
  const interrupted = outcomes.some(({ isInterrupted }) => isInterrupted)
    ? ['Interrupted: these are the figures up to then.']
    : [];
  const never = outcomes[0]?.neverFit ?? [];
  const tooLarge = never.length === 0 ? [] : [`Fit on no node, even an empty one: ${never.join(', ')}`];
  return [...interrupted, ...tooLarge].map((note) => `<p class="note">${escapeXml(note)}</p>`).join('');
}

export function htmlReport({ title, seed, outcomes, conflicts }: Report): string {
  const { header, rows } = figureTable(outcomes);
  const hasGpu = outcomes.some(({ series }) => series.gpu.some((share) => share > 0));
  const charts = [
    utilizationChart(outcomes, 'cpu'),
    ...(hasGpu ? [utilizationChart(outcomes, 'gpu')] : [utilizationChart(outcomes, 'memory')]),
    waitChart(outcomes),
    idleChart(outcomes),
    ...(conflicts.length > 0 ? [conflictChart(conflicts)] : []),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>
<h1>podwright simulate</h1><p>${escapeXml(title)}; simulation seed ${seed}</p>${notes(outcomes)}
<table><thead>${row(header, 'th')}</thead><tbody>${rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table>
<h2>Over time</h2><div class="charts">${charts.join('\n')}</div>
<h2>Nodes</h2><div class="charts">${outcomes.map(fillChart).join('\n')}</div>
</body></html>
`;
}
