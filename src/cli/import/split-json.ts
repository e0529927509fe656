/** Records of a JSON file: the elements of one array, or values one after the other. Never the whole file in memory. */

import { type RawRecord, RecordBytes, type RecordFault, type Splitter } from './record-bytes.ts';

const LF = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OBJECT_OPEN = 0x7b;
const OBJECT_CLOSE = 0x7d;

/** Between two values, inside one, or after the array's end. */
type Place = 'outside' | 'value' | 'done';

/** Finds where values begin and end by brackets and strings alone; whether they are JSON is judged later. */
export class JsonSplitter implements Splitter {
  readonly #record = new RecordBytes();
  #line = 1;
  #startLine = 1;
  #offset = 0;
  /** Undefined until the first character says so. */
  #isArray: boolean | undefined;
  #place: Place = 'outside';
  #depth = 0;
  #inString = false;
  #escaped = false;
  #afterEnd = false;

  *push(chunk: Buffer): Iterable<RawRecord> {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      const inside = this.#place === 'value';
      const ended = this.#take(byte);
      if (!inside) from = at;
      if (ended === 'no') continue;
      const last = ended === 'with' ? at + 1 : at;
      this.#record.add(chunk.subarray(from, last));
      yield this.#finish(this.#offset + last);
      if (byte === ARRAY_CLOSE && ended === 'before') this.#place = 'done';
    }
    if (this.#place === 'value') this.#record.add(chunk.subarray(from));
    this.#offset += chunk.length;
  }

  *end(): Iterable<RawRecord> {
    // A value that broke off is refused itself; behind a whole one nothing else shows the missing end.
    const broken = this.#depth > 0 || this.#inString || this.#afterEnd;
    if (this.#place === 'value') yield this.#finish(this.#offset);
    if (this.#isArray === true && this.#place !== 'done' && !broken) {
      yield {
        line: this.#line,
        end: this.#offset,
        text: '',
        fault: fault('file_truncated', 'the array does not end'),
      };
    }
  }

  /** Takes a byte: does a value end with it, or did it end before? */
  #take(byte: number): 'no' | 'with' | 'before' {
    if (byte === LF) this.#line += 1;
    if (this.#place !== 'value' && !this.#begins(byte)) return 'no';
    return this.#step(byte);
  }

  /** Whether the byte begins a value. */
  #begins(byte: number): boolean {
    if (isSpace(byte)) return false;
    if (this.#isArray === undefined) {
      this.#isArray = byte === ARRAY_OPEN;
      if (this.#isArray) return false;
    }
    if (this.#isArray && this.#place === 'outside') {
      if (byte === COMMA) return false;
      if (byte === ARRAY_CLOSE) {
        this.#place = 'done';
        return false;
      }
    }
    this.#afterEnd = this.#place === 'done';
    this.#place = 'value';
    this.#startLine = this.#line;
    return true;
  }

  #step(byte: number): 'no' | 'with' | 'before' {
    if (this.#afterEnd) return 'no';
    if (this.#inString) {
      this.#stepInString(byte);
      return 'no';
    }
    this.#inString = byte === QUOTE;
    const closes = byte === ARRAY_CLOSE || byte === OBJECT_CLOSE;
    if (this.#depth === 0 && this.#endsBefore(byte)) return 'before';
    if (byte === ARRAY_OPEN || byte === OBJECT_OPEN) this.#depth += 1;
    if (!closes || this.#depth === 0) return 'no';
    this.#depth -= 1;
    // In an array a value lasts until its comma, so that what stands between spoils this value alone.
    return this.#depth === 0 && this.#isArray !== true ? 'with' : 'no';
  }

  #stepInString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  /** Outside of all brackets: a comma or the array's end, or the end of the line between loose values. */
  #endsBefore(byte: number): boolean {
    return this.#isArray === true ? byte === COMMA || byte === ARRAY_CLOSE : byte === LF;
  }

  #finish(end: number): RawRecord {
    this.#place = 'outside';
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    const taken = this.#record.take();
    const record = this.#afterEnd
      ? { ...taken, fault: fault('text_after_end', 'the array ended before this') }
      : taken;
    return { ...record, line: this.#startLine, end, text: record.text.trimEnd() };
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === LF || byte === 0x0d;
}

function fault(code: string, message: string): RecordFault {
  return { code, message };
}
