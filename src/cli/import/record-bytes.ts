/** The bytes of one record as they arrive, within a bound, and as text in the end. */

/** What makes a record unusable before anybody looks at its content. */
export interface RecordFault {
  /** Stable word for the reject file. */
  readonly code: string;
  readonly message: string;
}

/** One record of a file as text. */
export interface RawRecord {
  /** Line that it begins on, from 1. */
  readonly line: number;
  /** Bytes of the file up to its end. */
  readonly end: number;
  readonly text: string;
  readonly fault?: RecordFault;
}

/** Cuts a file into records, chunk by chunk. */
export interface Splitter {
  push(chunk: Buffer): Iterable<RawRecord>;
  end(): Iterable<RawRecord>;
}

/** A document has at most 1 MiB stored; its text with escapes and wrappers is never this long. */
export const RECORD_BYTES_MAX = 16_777_216;
/** How much of a record that is too long is kept to recognise it by. */
const KEPT_BYTES = 1_000;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** Collects the bytes of one record. */
export class RecordBytes {
  #parts: Buffer[] = [];
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  add(bytes: Buffer): void {
    // Beyond the bound bytes are counted and not kept: a file without line ends must not fill the memory.
    if (this.#length <= RECORD_BYTES_MAX) this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** The record so far as text; afterwards the next one is collected. */
  take(): { readonly text: string; readonly fault?: RecordFault } {
    const bytes =
      this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    const tooLong = this.#length > RECORD_BYTES_MAX;
    this.#parts = [];
    this.#length = 0;
    if (tooLong) {
      const message = `a record has at most ${RECORD_BYTES_MAX} bytes`;
      const text = lossy.decode(bytes.subarray(0, KEPT_BYTES));
      return { text, fault: { code: 'record_too_long', message } };
    }
    try {
      return { text: strict.decode(bytes) };
    } catch {
      const fault = { code: 'invalid_utf8', message: 'the bytes are not UTF-8' };
      return { text: lossy.decode(bytes), fault };
    }
  }
}
