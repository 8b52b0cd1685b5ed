// Charts as SVG text, with nothing to load: line charts with axes and a legend, and maps of small squares. Not a plotting
// library: just what the report and the documentation need.

export type Line = { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] };

export type ChartOptions = {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  readonly xText: (x: number) => string;
  readonly yText: (y: number) => string;
  /** The axis reaches at least so far. */
  readonly yMax?: number | undefined;
  readonly marks?: 'lines' | 'lines-and-points' | undefined;
  /** Where the axes have marks; absent: at round numbers. Those beyond the axis are left out. */
  readonly xTicks?: readonly number[] | undefined;
  readonly yTicks?: readonly number[] | undefined;
};

/** Okabe and Ito's colours, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
export const colorOf = (index: number): string => COLORS[index % COLORS.length] ?? '#000000';

const WIDTH = 720;
const HEIGHT = 320;
const MARGIN = { top: 56, right: 20, bottom: 48, left: 76 };
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
const TICKS = 5;
const FONT = 'font-family="system-ui, sans-serif" font-size="12" fill="#333"';

export const escapeXml = (text: string): string =>
  text.replace(/[&<>"]/g, (one) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[one] ?? one);

const fixed = (value: number): string => value.toFixed(1);

/** A round number of steps below the top: 1, 2 or 5 times a power of ten. */
function ticks(max: number): readonly number[] {
  const rough = max / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, i) => i * step);
}

function svg(width: number, height: number, body: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"><rect width="${width}" height="${height}" fill="#fff"/>${body}</svg>`;
}

const label = (x: number, y: number, text: string, more = ''): string =>
  `<text x="${fixed(x)}" y="${fixed(y)}" ${FONT} ${more}>${escapeXml(text)}</text>`;

/** One entry after the other, by the length of its name. */
function legend(lines: readonly Line[]): string {
  let x = MARGIN.left;
  return lines
    .map(({ name }, index) => {
      const at = x;
      x += 34 + name.length * 7;
      const swatch = `<rect x="${at}" y="36" width="14" height="4" fill="${colorOf(index)}"/>`;
      return swatch + label(at + 18, 42, name);
    })
    .join('');
}

export function lineChart({
  title,
  xLabel,
  yLabel,
  lines,
  xText,
  yText,
  yMax = 0,
  marks,
  xTicks,
  yTicks,
}: ChartOptions): string {
  const all = lines.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const xMin = xs.reduce((least, x) => Math.min(least, x), xs[0] ?? 0);
  const xMax = xs.reduce((most, x) => Math.max(most, x), xMin + 1e-9);
  const top = all.reduce((most, [, y]) => Math.max(most, y), yMax) || 1;
  const px = (x: number): number => MARGIN.left + (INNER.width * (x - xMin)) / (xMax - xMin);
  const py = (y: number): number => MARGIN.top + INNER.height * (1 - y / top);
  const yMarks = (yTicks?.filter((y) => y <= top) ?? ticks(top)).map(
    (y) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${fixed(py(y))}" y2="${fixed(py(y))}" stroke="#ddd"/>` +
      label(MARGIN.left - 8, py(y) + 4, yText(y), 'text-anchor="end"'),
  );
  const xAt = xTicks?.filter((x) => x >= xMin && x <= xMax) ?? ticks(xMax - xMin).map((x) => xMin + x);
  const xMarks = xAt.map((x) => label(px(x), HEIGHT - MARGIN.bottom + 18, xText(x), 'text-anchor="middle"'));
  const paths = lines.map(({ points }, index) => {
    const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${fixed(px(x))} ${fixed(py(y))}`).join('');
    const dots =
      marks === 'lines-and-points'
        ? points.map(
            ([x, y]) =>
              `<circle cx="${fixed(px(x))}" cy="${fixed(py(y))}" r="${fixed(Math.max(2.5, 5.5 - 2.5 * index))}" fill="${colorOf(index)}"/>`,
          )
        : [];
    return `<path d="${path}" fill="none" stroke="${colorOf(index)}" stroke-width="2" stroke-linejoin="round"/>${dots.join('')}`;
  });
  const axes = `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${py(0)}" y2="${py(0)}" stroke="#333"/>`;
  const captions =
    label(MARGIN.left, 22, title, 'font-weight="600" style="font-size:14px"') +
    label(MARGIN.left + INNER.width / 2, HEIGHT - 10, xLabel, 'text-anchor="middle"') +
    label(
      0,
      0,
      yLabel,
      `text-anchor="middle" transform="translate(16 ${MARGIN.top + INNER.height / 2}) rotate(-90)"`,
    );
  return svg(
    WIDTH,
    HEIGHT,
    captions + legend(lines) + yMarks.join('') + xMarks.join('') + axes + paths.join(''),
  );
}

const MAP_COLUMNS = 60;
const MAP_CELLS = 3000;

/** White to blue to red: empty, busy, full. */
function heat(share: number): string {
  const at = Math.min(1, Math.max(0, share));
  const mix = (from: number, to: number, part: number): number => Math.round(from + (to - from) * part);
  const [from, to, part] =
    at < 0.6 ? [[245, 248, 252], [0, 114, 178], at / 0.6] : [[0, 114, 178], [213, 94, 0], (at - 0.6) / 0.4];
  return `rgb(${from.map((one, i) => mix(one, to[i] ?? 0, part)).join(',')})`;
}

/** One square a node, by its fullest resource; many nodes are shown as means of neighbours. */
export function fillMap(title: string, shares: readonly number[]): string {
  const perCell = Math.max(1, Math.ceil(shares.length / MAP_CELLS));
  const cells = Array.from({ length: Math.ceil(shares.length / perCell) }, (_, i) => {
    const part = shares.slice(i * perCell, (i + 1) * perCell);
    return part.reduce((sum, one) => sum + one, 0) / part.length;
  });
  const size = 11;
  const rows = Math.max(1, Math.ceil(cells.length / MAP_COLUMNS));
  const squares = cells.map((share, i) => {
    const x = 20 + (i % MAP_COLUMNS) * size;
    const y = 40 + Math.floor(i / MAP_COLUMNS) * size;
    return `<rect x="${x}" y="${y}" width="${size - 1}" height="${size - 1}" fill="${heat(share)}"/>`;
  });
  const scaleY = 40 + rows * size + 8;
  const scale = [0, 0.25, 0.5, 0.75, 1].map(
    (share, i) =>
      `<rect x="${20 + i * 70}" y="${scaleY}" width="12" height="12" fill="${heat(share)}" stroke="#ccc"/>` +
      label(36 + i * 70, scaleY + 11, `${Math.round(share * 100)} %`),
  );
  return svg(
    40 + MAP_COLUMNS * size,
    scaleY + 24,
    label(20, 22, title, 'font-weight="600" style="font-size:14px"') + squares.join('') + scale.join(''),
  );
}
