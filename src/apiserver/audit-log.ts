// The audit log as a file: one JSON line an event, for its owner's eyes alone. Nobody waits for it.
//
// Invariants
// - The file and what waits to be written are bounded: a full file becomes <file>.1 in place of the one before; events that
//   find no room are dropped, and how many is said.
// - What cannot be written is said once, and is no failure of a request.
import { type FileHandle, open, rename } from 'node:fs/promises';
import { BOUNDS } from '../base/bounds.ts';
import { errorText, PodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export type AuditLogOptions = {
  readonly path: string;
  readonly log: Log;
  /** Absent: BOUNDS'. */
  readonly fileBytes?: number;
  readonly backlogBytes?: number;
};

export class AuditLog {
  readonly #options: Required<AuditLogOptions>;
  #file: FileHandle;
  #fileBytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #isFailing = false;
  #writing: Promise<void> | undefined;

  /** Use openAuditLog. */
  constructor(options: AuditLogOptions, opened: { readonly file: FileHandle; readonly bytes: number }) {
    const { auditFileBytes: fileBytes, auditBacklogBytes: backlogBytes } = BOUNDS;
    this.#options = { fileBytes, backlogBytes, ...options };
    this.#file = opened.file;
    this.#fileBytes = opened.bytes;
  }

  record(event: object): void {
    const line = `${JSON.stringify(event)}\n`;
    if (this.#waitingBytes + line.length > this.#options.backlogBytes) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** What was recorded is in the file. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('');
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#write(text);
    }
    this.#writing = undefined;
    if (this.#dropped > 0) this.#options.log.warn('audit events were dropped', { events: this.#dropped });
    this.#dropped = 0;
  }

  async #write(text: string): Promise<void> {
    const { path, log, fileBytes } = this.#options;
    try {
      if (this.#fileBytes > fileBytes) await this.#rotate();
      await this.#file.appendFile(text);
      this.#fileBytes += Buffer.byteLength(text);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) log.error('the audit log cannot be written', { path, error: errorText(error) });
      this.#isFailing = true;
    }
  }

  async #rotate(): Promise<void> {
    const { path } = this.#options;
    const before = this.#file;
    await rename(path, `${path}.1`);
    this.#file = await open(path, 'a', 0o600);
    this.#fileBytes = 0;
    await before.close();
  }
}

export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { path } = options;
  try {
    const file = await open(path, 'a', 0o600);
    return new AuditLog(options, { file, bytes: (await file.stat()).size });
  } catch (cause) {
    throw new PodwrightError('InvalidInput', `open the audit log ${path}`, { cause });
  }
}
