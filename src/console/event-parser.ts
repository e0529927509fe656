/** Server-sent events from the pieces of a body, as the HTML standard says. */

/** An event, or a time to wait before the stream is opened again. */
export interface StreamEvent {
  readonly type: string;
  readonly data: string;
  /** The last id that was seen, also before this event. */
  readonly id: string | undefined;
}

/** Told what the pieces hold. */
export interface EventListener {
  event(event: StreamEvent): void;
  retry(ms: number): void;
}

/** Characters of one event; a server that sends more is no server of ours. */
export const EVENT_LENGTH_MAX = 33_554_432;

/** Puts lines and events together. One parser per body. */
export class EventParser {
  readonly #listener: EventListener;
  #rest = '';
  #type = '';
  #data: string[] = [];
  #length = 0;
  #id: string | undefined;

  constructor(listener: EventListener) {
    this.#listener = listener;
  }

  /** Takes the next piece of text; throws when an event is too long. */
  push(piece: string): void {
    const text = this.#rest + piece;
    // A carriage return at the end may be half of a line end.
    const cut = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, cut).split(/\r\n|\n|\r/);
    this.#rest = `${lines.pop() ?? ''}${text.slice(cut)}`;
    for (const line of lines) this.#line(line);
    if (this.#rest.length + this.#length > EVENT_LENGTH_MAX) {
      throw new Error('an event of the stream is too long');
    }
  }

  #line(line: string): void {
    if (line === '') this.#dispatch();
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') this.#type = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.#listener.retry(Number(value));
    else if (name === 'data') {
      this.#data.push(value);
      this.#length += value.length;
    }
  }

  #dispatch(): void {
    const { length } = this.#data;
    const event = { type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id };
    this.#type = '';
    this.#data = [];
    this.#length = 0;
    if (length > 0) this.#listener.event(event);
  }
}
