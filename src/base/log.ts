// The engine's own diary: one JSON line per event on standard error. Not the logs of containers.

export type LogFields = { readonly [key: string]: string | number | boolean | undefined };
type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = { readonly [level in LogLevel]: (message: string, fields?: LogFields) => void };

const ORDER: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export function createLog(options: {
  readonly level: LogLevel;
  readonly write?: (line: string) => void;
}): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const emit =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (ORDER[level] < ORDER[options.level]) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
    };
  return { debug: emit('debug'), info: emit('info'), warn: emit('warn'), error: emit('error') };
}

/** For tests and for parts that have nobody to tell. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
