/** Printing: data on stdout, everything else on stderr, nothing that could steer a terminal. */

import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** How one invocation prints. */
export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** False switches colours off; they are never on without a terminal. */
  readonly color: boolean;
  /** False for terminals that cannot rewrite a line (`TERM=dumb`). */
  readonly rewrites: boolean;
}

// C0 except line feed, DEL, C1, line separators, direction marks and the byte order mark.
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escaping control characters is the purpose
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** To the start of the line, and clear it. */
const CLEAR_LINE = '\r\u001b[2K';

/** Text with control and direction characters written as `\u001b`: a document must not move the cursor. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The streams of one invocation. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #color: boolean;
  readonly #rewrites: boolean;
  /** The line that is being rewritten, kept so that other lines can be printed above it. */
  #status: string | null = null;
  #closed = false;
  #onClosed: (() => void) | undefined;

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.quiet = options.quiet;
    this.#color = options.color;
    this.#rewrites = options.rewrites;
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#closed = true;
      this.#onClosed?.();
    });
    process.stderr.on('error', () => {});
  }

  /** True when data goes to a person. */
  get isTerminal(): boolean {
    return process.stdout.isTTY === true;
  }

  /** Width of the terminal, or 120. */
  get columns(): number {
    return process.stdout.columns ?? 120;
  }

  /** True when stderr is a terminal on which `status` can rewrite its line. */
  get rewrites(): boolean {
    return this.#rewrites && process.stderr.isTTY === true;
  }

  /** Width of the terminal behind stderr, or 80. */
  get statusColumns(): number {
    // Some terminals say 0 before they know.
    return process.stderr.columns || 80;
  }

  /** True once the reader of stdout is gone (`| head`): a normal end, not an error. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Called once when the reader of stdout is gone. */
  onClosed(listener: () => void): void {
    this.#onClosed = listener;
    if (this.#closed) listener();
  }

  /** One line of data. Resolves when it was handed on, so that a slow reader slows the writer. */
  data(line: string): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.isTerminal) this.status(null);
    return new Promise((resolve) => {
      process.stdout.write(`${printable(line)}\n`, () => resolve());
    });
  }

  /** One value as a line of JSON on stdout. */
  jsonLine(value: unknown): Promise<void> {
    return this.data(JSON.stringify(value));
  }

  /** A line for people; left out with --quiet. */
  info(line: string): void {
    if (!this.quiet) this.#people(printable(line));
  }

  /** A bold line for people; left out with --quiet. */
  title(line: string): void {
    if (!this.quiet) this.#people(this.#style('bold', printable(line)));
  }

  warn(line: string): void {
    this.#people(`${this.#style('yellow', 'warning:')} ${printable(line)}`);
  }

  error(line: string): void {
    this.#people(printable(line));
  }

  /** Rewrites the last line on the terminal behind stderr; null takes it away. Needs `rewrites`. */
  status(line: string | null): void {
    if (line === null && this.#status === null) return;
    this.#status = line === null ? null : printable(line);
    process.stderr.write(`${CLEAR_LINE}${this.#status ?? ''}`);
  }

  /** A whole line on stderr, above the one that is being rewritten. */
  #people(text: string): void {
    const status = this.#status;
    process.stderr.write(status === null ? `${text}\n` : `${CLEAR_LINE}${text}\n${status}`);
  }

  /** Coloured on a terminal; the words alone carry the meaning. */
  #style(style: Style, text: string): string {
    return this.#color && process.stderr.isTTY === true ? styleText(style, text) : text;
  }
}

/** Whether the terminal can rewrite a line. */
export function canRewrite(env: Readonly<Record<string, string | undefined>>): boolean {
  return env.TERM !== 'dumb';
}

/** Whether the environment asks for no colours (https://no-color.org). */
export function wantsColor(env: Readonly<Record<string, string | undefined>>): boolean {
  return (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}
