// Durations as kubectl prints them in an AGE column: two significant parts, then one.

const SECONDS = { minute: 60, hour: 3600, day: 86_400, year: 365 * 86_400 };

/** "42s", "3m7s", "12m", "5h10m", "20h", "3d4h", "20d", "2y30d"; negative times of a skewed clock read "0s". */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const { minute, hour, day, year } = SECONDS;
  const two = (unit: number, name: string, part: number, partName: string): string => {
    const rest = Math.floor((seconds % unit) / part);
    return `${Math.floor(seconds / unit)}${name}${rest === 0 ? '' : `${rest}${partName}`}`;
  };
  if (seconds < 2 * minute) return `${seconds}s`;
  if (seconds < 10 * minute) return two(minute, 'm', 1, 's');
  if (seconds < 3 * hour) return `${Math.floor(seconds / minute)}m`;
  if (seconds < 8 * hour) return two(hour, 'h', minute, 'm');
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)}h`;
  if (seconds < 8 * day) return two(day, 'd', hour, 'h');
  if (seconds < 2 * year) return `${Math.floor(seconds / day)}d`;
  if (seconds < 8 * year) return two(year, 'y', day, 'd');
  return `${Math.floor(seconds / year)}y`;
}

/** "90", "90s", "2m", "1h30m", "500ms" as milliseconds (Go's time.Duration; a bare number is seconds); undefined: none. */
export function parseDurationMs(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0),
    0,
  );
}
