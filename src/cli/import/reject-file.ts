/** The file that keeps what could not be imported, so that it can be corrected and imported again. */

import { existsSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { CommandError } from '../failure.ts';
import { EXIT } from '../exit-codes.ts';
import type { RecordFault } from './record-bytes.ts';

/** A refused record. */
export interface Reject extends RecordFault {
  readonly line: number;
  readonly text: string;
}

/** Collects refused records, one JSON object per line. Made with the first one; an older file is replaced. */
export class RejectFile {
  readonly #path: string;
  #handle: FileHandle | undefined;
  #count = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Empties the file of an earlier run, because every record is judged again. */
  static async prepare(path: string): Promise<RejectFile> {
    const file = new RejectFile(path);
    if (existsSync(path)) await file.#open();
    return file;
  }

  get count(): number {
    return this.#count;
  }

  async add({ line, code, message, text }: Reject): Promise<void> {
    this.#count += 1;
    const handle = this.#handle ?? (await this.#open());
    await handle.write(`${JSON.stringify({ line, code, message, text })}\n`);
  }

  /** Closes the file; one that stayed empty goes. */
  async close(): Promise<void> {
    await this.#handle?.close();
    if (this.#handle !== undefined && this.#count === 0) await rm(this.#path, { force: true });
  }

  async #open(): Promise<FileHandle> {
    try {
      this.#handle = await open(this.#path, 'w');
      return this.#handle;
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? 'not writable';
      throw new CommandError({
        exit: EXIT.usage,
        code: 'rejects_not_writable',
        cause: `cannot write ${this.#path} (${reason})`,
        fix: 'name another place for refused lines with --rejects',
      });
    }
  }
}
