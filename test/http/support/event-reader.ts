/** Reads event streams as the standard says, independently of the product's own reader. */

import assert from 'node:assert/strict';

/** One block of a stream: an event, a comment, or a time to wait. */
export interface SeenEvent {
  readonly event?: string;
  readonly id?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly retry?: number;
  readonly comment?: true;
}

/** The whole blocks of a text; fails for a line that no event has. */
export function readEvents(text: string): SeenEvent[] {
  const blocks = text.split('\n\n');
  assert.equal(blocks.pop(), '', 'the text must end with a whole event');
  return blocks.map((block) => Object.assign({}, ...block.split('\n').map(readLine)));
}

function readLine(line: string): SeenEvent {
  if (line === ':') return { comment: true };
  const [, name, value = ''] = /^(event|id|data|retry): (.*)$/s.exec(line) ?? [];
  if (name === 'data') return { data: JSON.parse(value) };
  if (name === 'retry') return { retry: Number(value) };
  assert.ok(name === 'event' || name === 'id', `no line of an event: ${line}`);
  return { [name]: value };
}

/** The body of an answer, read piece by piece. */
export class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  text = '';
  done = false;

  constructor(response: Response) {
    this.#reader = (response.body ?? assert.fail('no body')).getReader();
  }

  /** Reads until the text fits, or the end. */
  async until(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.text) && !this.done) await this.next();
    return this.text;
  }

  /** Reads to the end. */
  async rest(): Promise<string> {
    while (!this.done) await this.next();
    return this.text;
  }

  async next(): Promise<void> {
    const { done, value } = await this.#reader.read();
    this.done = done;
    this.text += this.#decoder.decode(value, { stream: true });
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
