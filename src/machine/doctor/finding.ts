// One line of the doctor.

export type Finding = {
  readonly topic: string;
  /** `missing` stops pods from running; `warning` makes something worse or slower. */
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  /** What to do, with the Debian package where one helps. */
  readonly remedy?: string | undefined;
};
