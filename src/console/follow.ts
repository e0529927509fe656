/** Follows `/sync/events`: opens the stream again from the last id until it is told to stop. */

import { EventParser, type StreamEvent } from './event-parser.ts';
import { judge, judgeAnswer, type Refusal } from './refusal.ts';

/** How the stream is doing. */
export type TailState =
  | { readonly kind: 'connecting' | 'live' }
  /** It was lost, for the reason of `text`; the next try is in `ms`, 0 = now. */
  | { readonly kind: 'disconnected'; readonly ms: number; readonly text: string }
  | { readonly kind: 'refused' | 'stopped'; readonly text: string };

/** What a stream is opened with. */
export interface TailRequest {
  readonly path: string;
  /** Where the first one begins; undefined = with what is new. */
  readonly since?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** The browser as this needs it, and who is told. */
export interface TailPorts {
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** Resolves early when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  random(): number;
  event(event: StreamEvent): void;
  state(state: TailState): void;
}

/** Without a byte for so long (the server writes every 25 s) a connection is dead, ms. */
export const SILENCE_MS = 60_000;
const WAIT_MAX_MS = 30_000;

/** How long to wait before the next try: longer after each failure, another time for each client. */
export function nextWait(failures: number, retry_ms: number, random: number): number {
  const longest = Math.min(WAIT_MAX_MS, retry_ms * 2 ** Math.min(failures, 10));
  return Math.round(longest / 2 + (longest / 2) * random);
}

/** Runs until it is refused or the signal aborts. Never rejects. */
export async function followTail(
  request: TailRequest,
  ports: TailPorts,
  signal: AbortSignal,
): Promise<void> {
  const place: Place = { last: request.since, retry_ms: 1_000, failures: 0 };
  let now: TailState = { kind: 'connecting' };
  while (!signal.aborted) {
    ports.state(now);
    const ended = await readOnce(request, { ports, place }, signal);
    if (signal.aborted) return;
    if (ended.next !== 'again') {
      ports.state({ kind: ended.next === 'token' ? 'refused' : 'stopped', text: ended.text });
      return;
    }
    const wait = nextWait(place.failures, place.retry_ms, ports.random());
    const ms = Math.max(ended.wait_ms, wait);
    place.failures += 1;
    now = { kind: 'disconnected', ms: 0, text: ended.text };
    ports.state({ ...now, ms });
    await ports.sleep(ms, signal);
  }
}

/** What is remembered from one stream to the next. */
interface Place {
  last: string | undefined;
  retry_ms: number;
  failures: number;
}

const BROKEN: Refusal = { next: 'again', text: 'The connection broke.', wait_ms: 0 };

async function readOnce(
  { path, headers }: TailRequest,
  { ports, place }: { readonly ports: TailPorts; readonly place: Place },
  signal: AbortSignal,
): Promise<Refusal> {
  // Aborted when this stream is over for whatever reason, so that no connection is left behind.
  const control = new AbortController();
  const abort = () => control.abort();
  signal.addEventListener('abort', abort, { once: true });
  const from = place.last === undefined ? {} : { 'Last-Event-ID': place.last };
  try {
    const response = await ports.fetch(path, {
      headers: { Accept: 'text/event-stream', ...headers, ...from },
      cache: 'no-store',
      signal: control.signal,
    });
    if (response.status !== 200 || response.body === null) return await judgeAnswer(response);
    return await readBody(response.body, { ports, place }, control.signal);
  } catch {
    return BROKEN;
  } finally {
    signal.removeEventListener('abort', abort);
    abort();
  }
}

async function readBody(
  body: ReadableStream<Uint8Array>,
  { ports, place }: { readonly ports: TailPorts; readonly place: Place },
  signal: AbortSignal,
): Promise<Refusal> {
  let ended = BROKEN;
  const parser = new EventParser({
    retry(ms) {
      place.retry_ms = ms;
    },
    event(event) {
      place.last = event.id ?? place.last;
      if (event.type === 'connected') {
        place.failures = 0;
        ports.state({ kind: 'live' });
      }
      if (event.type === 'error') ended = refusalOf(event);
      // What is gone cannot be shown: the stream goes on with what is new.
      if (event.type === 'full_resync_required') place.last = undefined;
      ports.event(event);
    },
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const part = await partOrSilence(reader, ports, signal);
    if (part === undefined || part.done) return ended;
    parser.push(decoder.decode(part.value, { stream: true }));
  }
}

/** The next part, or undefined when nothing came for too long. */
async function partOrSilence(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { sleep }: TailPorts,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof reader.read>> | undefined> {
  const heard = new AbortController();
  const stop = () => heard.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const silence = sleep(SILENCE_MS, heard.signal).then(() => undefined);
    return await Promise.race([reader.read(), silence]);
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function refusalOf({ data }: StreamEvent): Refusal {
  const { code, message, retryable, details } = JSON.parse(data) as {
    code: string;
    message: string;
    retryable: boolean;
    details?: { reason?: string };
  };
  return judge({ code, message, retryable, reason: details?.reason });
}
