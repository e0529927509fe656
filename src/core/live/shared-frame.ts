/** A row as it goes to many readers: what one of them made of it, the others reuse. */

import { closePullLine } from '../../protocol/pull.ts';
import type { ChangeFrame } from '../ports/live.ts';
import type { OplogRead } from '../ports/records.ts';

/** One row of one bundle for all subscribers that see the same part of the bundle. */
export class SharedFrame implements ChangeFrame {
  readonly row: OplogRead;
  /** True when no later row of its bundle is delivered. */
  readonly bundle_end: boolean;
  #json: string | undefined;
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(row: OplogRead, bundle_end: boolean) {
    this.row = row;
    this.bundle_end = bundle_end;
  }

  /** The row as a pull gives it, with `type` in front. */
  get json(): string {
    this.#json ??= `{"type":"change",${closePullLine(this.row.line, this.bundle_end).slice(1)}`;
    return this.#json;
  }

  /** The bytes of this frame for a kind of reader: made once. */
  encoded(kind: string, encode: (frame: ChangeFrame) => Uint8Array): Uint8Array {
    const known = this.#encoded.get(kind);
    if (known !== undefined) return known;
    const bytes = encode(this);
    this.#encoded.set(kind, bytes);
    return bytes;
  }
}

/** A row in the memory of a scope, with its two frames: at the end of its bundle, and inside. */
export class LiveRow {
  readonly row: OplogRead;
  #client: { readonly client_id: string | null } | undefined;
  #last: SharedFrame | undefined;
  #inner: SharedFrame | undefined;

  constructor(row: OplogRead) {
    this.row = row;
  }

  /** The device that made it, which only the row's wire text holds; null when unknown. */
  get client_id(): string | null {
    this.#client ??= JSON.parse(closePullLine(this.row.line, true)) as { client_id: string | null };
    return this.#client.client_id;
  }

  frame(bundle_end: boolean): SharedFrame {
    if (bundle_end) {
      this.#last ??= new SharedFrame(this.row, true);
      return this.#last;
    }
    this.#inner ??= new SharedFrame(this.row, false);
    return this.#inner;
  }
}
