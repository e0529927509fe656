/** Records of text files: one per line, or as CSV has them, with line ends inside quotes. */

import { type RawRecord, RecordBytes, type Splitter } from './record-bytes.ts';

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** One record per line. Empty lines are counted and left out. */
export class LineSplitter implements Splitter {
  readonly #record = new RecordBytes();
  #line = 1;
  #offset = 0;

  *push(chunk: Buffer): Iterable<RawRecord> {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      this.#record.add(chunk.subarray(from, at));
      yield* this.#take(this.#offset + at + 1);
      from = at + 1;
    }
    if (from < chunk.length) this.#record.add(chunk.subarray(from));
    this.#offset += chunk.length;
  }

  *end(): Iterable<RawRecord> {
    yield* this.#take(this.#offset);
  }

  *#take(end: number): Iterable<RawRecord> {
    const line = this.#line;
    this.#line += 1;
    if (this.#record.isEmpty) return;
    const record = this.#record.take();
    const text = withoutCarriageReturn(record.text);
    if (record.fault !== undefined || text.trim() !== '') yield { ...record, line, end, text };
  }
}

/**
 * CSV records: a line end inside a quoted field belongs to the field. A quote opens a field only at
 * its beginning, so that a stray one spoils its own record and not the ones after it.
 */
export class CsvSplitter implements Splitter {
  readonly #record = new RecordBytes();
  #line = 1;
  #startLine = 1;
  #offset = 0;
  #place: 'start' | 'plain' | 'quoted' | 'closing' = 'start';

  *push(chunk: Buffer): Iterable<RawRecord> {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      if (byte === LF) this.#line += 1;
      this.#step(byte);
      if (byte !== LF || this.#place === 'quoted') continue;
      this.#record.add(chunk.subarray(from, at));
      yield* this.#take(this.#offset + at + 1);
      from = at + 1;
    }
    if (from < chunk.length) this.#record.add(chunk.subarray(from));
    this.#offset += chunk.length;
  }

  *end(): Iterable<RawRecord> {
    yield* this.#take(this.#offset);
  }

  #step(byte: number): void {
    if (this.#place === 'quoted') {
      if (byte === QUOTE) this.#place = 'closing';
      return;
    }
    if (byte === QUOTE && this.#place !== 'plain') this.#place = 'quoted';
    else if (byte === COMMA || byte === LF) this.#place = 'start';
    else if (byte !== CR) this.#place = 'plain';
  }

  *#take(end: number): Iterable<RawRecord> {
    const line = this.#startLine;
    this.#startLine = this.#line;
    this.#place = 'start';
    if (this.#record.isEmpty) return;
    const record = this.#record.take();
    const text = withoutCarriageReturn(record.text);
    if (record.fault !== undefined || text !== '') yield { ...record, line, end, text };
  }
}

function withoutCarriageReturn(text: string): string {
  return text.endsWith('\r') ? text.slice(0, -1) : text;
}
