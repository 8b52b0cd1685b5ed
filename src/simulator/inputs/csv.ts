// Comma-separated tables with a header line, without quoting: what the traces are. Errors name file and line.
import { PodwrightError } from '../../base/errors.ts';

/** What still is a whole number after it has been multiplied by a mebibyte. */
const AMOUNT_MAX = 1e12;

export type Row = {
  /** "trace.csv:17" */
  readonly source: string;
  text(column: string): string;
  /** A number that is not negative. @throws InvalidInput */
  amount(column: string): number;
};

export function csvRows(content: string, file: string, columns: readonly string[]): readonly Row[] {
  const [header = '', ...lines] = content.split(/\r?\n/);
  const names = header.split(',').map((name) => name.trim());
  const missing = columns.filter((column) => !names.includes(column));
  if (missing.length > 0)
    throw new PodwrightError(
      'InvalidInput',
      `read trace ${file}:1: column${missing.length === 1 ? '' : 's'} ${missing.join(', ')} missing; there are ${names.join(', ')}`,
    );
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const source = `${file}:${index + 2}`;
    const cells = line.split(',');
    if (cells.length !== names.length)
      throw new PodwrightError(
        'InvalidInput',
        `read trace ${source}: ${cells.length} values for ${names.length} columns`,
      );
    const text = (column: string): string => cells[names.indexOf(column)]?.trim() ?? '';
    const amount = (column: string): number => {
      const value = text(column) === '' ? Number.NaN : Number(text(column));
      if (value >= 0 && value <= AMOUNT_MAX) return value;
      throw new PodwrightError(
        'InvalidInput',
        `read trace ${source}: ${column} is ${JSON.stringify(text(column))}, not a number from 0 to ${AMOUNT_MAX}`,
      );
    };
    return [{ source, text, amount }];
  });
}

/** @throws InvalidInput for a name that came before. */
export function uniqueNames(rows: readonly { readonly source: string; readonly name: string }[]): void {
  const seen = new Map<string, string>();
  for (const { source, name } of rows) {
    const before = seen.get(name);
    if (before !== undefined || name === '')
      throw new PodwrightError(
        'InvalidInput',
        name === '' ? `read trace ${source}: no name` : `read trace ${source}: ${name} is also in ${before}`,
      );
    seen.set(name, source);
  }
}
