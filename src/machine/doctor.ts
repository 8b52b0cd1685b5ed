export type Finding = {
  readonly topic: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  /** What to do, with the Debian package where one helps. */
  readonly remedy?: string | undefined;
};
