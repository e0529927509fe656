/** A headless Chromium, driven over its DevTools protocol: what a page shows, says and is refused. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { findChromium } from '../../../scripts/lib/chromium.mjs';

/** An answer or an event of the protocol. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** How a page is looked at. */
export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
}

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
  // Over two pipes: the browser ends by itself when the process of the test does.
  '--remote-debugging-pipe',
];

/** Something that a page never shows is a failure after so long, ms. */
const UNTIL_MS = 20_000;

/** A running browser. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #commands: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #pages = new Map<string, (message: Message) => void>();
  #sent = 0;
  #heard = '';

  private constructor(process: ChildProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
    const [, , , commands, answers] = process.stdio;
    this.#commands = commands as Writable;
    this.#commands.on('error', () => {});
    (answers as Readable).setEncoding('utf8').on('data', (text: string) => this.#hear(text));
  }

  /** Starts one, with a profile of its own. */
  static async start(flags: readonly string[] = []): Promise<Browser> {
    const program = findChromium();
    if (program === undefined) throw new Error('there is no Chromium on the PATH');
    const folder = mkdtempSync(path.join(tmpdir(), 'offline-sync-chromium-'));
    const child = spawn(program, [...FLAGS, ...flags, `--user-data-dir=${folder}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const browser = new Browser(child, folder);
    await browser.send('Browser.getVersion');
    return browser;
  }

  /** Opens a page and waits until it is loaded. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, { session: String(sessionId), target: String(targetId) });
    this.#pages.set(String(sessionId), (message) => page.take(message));
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await page.send(`${domain}.enable`);
    await page.go(url);
    return page;
  }

  /** One command; rejects with the browser's own message. */
  send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    this.#sent += 1;
    const id = this.#sent;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** Ends it with everything that it started. */
  async close(): Promise<void> {
    const gone = once(this.#process, 'exit');
    // It may be gone before it answers.
    void this.send('Browser.close');
    await gone;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #hear(text: string): void {
    const messages = `${this.#heard}${text}`.split('\0');
    this.#heard = messages.pop() ?? '';
    for (const message of messages) this.#take(JSON.parse(message) as Message);
  }

  #take(message: Message): void {
    if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    } else if (message.sessionId !== undefined) {
      this.#pages.get(message.sessionId)?.(message);
    }
  }
}

/** A page of the browser. */
export class Page {
  /** Errors, warnings and refusals that the page's console shows. */
  readonly complaints: string[] = [];
  /** Addresses that were asked for. */
  readonly asked: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;
  readonly #target: string;
  #loaded: () => void = () => {};

  constructor(browser: Browser, { session, target }: { session: string; target: string }) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  /** Closes the page with whatever it has open. */
  async close(): Promise<void> {
    await this.#browser.send('Target.closeTarget', { targetId: this.#target });
  }

  send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }

  /** Loads an address, or the same again. */
  async go(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    await this.send('Page.navigate', { url });
    await loaded;
  }

  /** The value of an expression in the page. */
  async value<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: Value }).value;
  }

  /** Waits until an expression of the page is true; fails with what the page shows. */
  async until(expression: string): Promise<void> {
    const found = await this.value<boolean>(`new Promise((resolve) => {
      const end = performance.now() + ${UNTIL_MS};
      const look = () => {
        if (${expression}) resolve(true);
        else if (performance.now() > end) resolve(false);
        else setTimeout(look, 20);
      };
      look();
    })`);
    if (found) return;
    const shown = await this.value<string>('document.body.innerText');
    throw new Error(`never true: ${expression}; complaints: ${this.complaints}; page: ${shown}`);
  }

  /** Presses a key, as a person does. */
  async press(key: string, code = key): Promise<void> {
    const text = key === 'Enter' ? { text: '\r' } : {};
    const windowsVirtualKeyCode = { Enter: 13, Tab: 9 }[key] ?? 0;
    const event = { key, code, windowsVirtualKeyCode, ...text };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  /** Types text where the focus is. */
  async type(text: string): Promise<void> {
    await this.send('Input.insertText', { text });
  }

  /** Size and colours from now on. */
  async look({ width, height, scheme }: Look): Promise<void> {
    const mobile = width < 500;
    const size = { width, height, mobile, deviceScaleFactor: 1 };
    await this.send('Emulation.setDeviceMetricsOverride', size);
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.send('Emulation.setEmulatedMedia', { features });
  }

  /** A picture of what is seen, as PNG. */
  async picture(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  take({ method, params = {} }: Message): void {
    if (method === 'Page.loadEventFired') this.#loaded();
    if (method === 'Network.requestWillBeSent') {
      this.asked.push((params['request'] as { url: string }).url);
    }
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params));
    if (method === 'Runtime.consoleAPICalled') this.complaints.push(JSON.stringify(params['args']));
    if (method === 'Log.entryAdded') {
      const { level, text } = params['entry'] as { level: string; text: string };
      if (level !== 'info' && level !== 'verbose') this.complaints.push(text);
    }
  }
}
