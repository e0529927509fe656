/** One connection of live delivery as a client has it, over either transport, and how it ended. */

import http from 'node:http';
import { WebSocket } from 'ws';

/** How a client is connected. */
export type Transport = 'websocket' | 'events';

/** A message of the stream, or an event; events have their `id` here as well. */
export interface LiveMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a client asks for. */
export interface LinkOptions {
  readonly url: string;
  readonly token: string;
  readonly transport: Transport;
  /** null = from now on. */
  readonly since: string | null;
  /** More fields of the subscription; of its query with events. */
  readonly more?: Readonly<Record<string, unknown>>;
  onMessage(message: LiveMessage): void;
}

/** How a connection ended. */
export interface LinkEnd {
  /** WebSocket's code; of events 1000 for a body that ended, 1006 for one that broke. */
  readonly code: number;
  readonly reason: string;
  /** The answer when it was not opened, else undefined. */
  readonly status?: number;
  /** The last `retry:` of the events, ms. */
  readonly retry?: number;
}

/** A connection. */
export interface LiveLink {
  readonly ended: Promise<LinkEnd>;
  /** Takes nothing from the socket any more. */
  pause(): void;
  resume(): void;
  /** Breaks it off without a word. */
  destroy(): void;
}

/** Connects and subscribes. */
export function openLink(options: LinkOptions): LiveLink {
  return options.transport === 'websocket' ? openSocket(options) : openEvents(options);
}

function openSocket({ url, token, since, more, onMessage }: LinkOptions): LiveLink {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/sync/stream`, {
    headers: { Authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  let status: number | undefined;
  let reason = '';
  ws.on('open', () => ws.send(JSON.stringify({ type: 'subscribe', since, ...more })));
  ws.on('message', (data) => onMessage(JSON.parse(String(data)) as LiveMessage));
  ws.on('unexpected-response', (_request, response) => {
    status = response.statusCode;
    response.resume();
    ws.terminate();
  });
  ws.on('error', (error) => {
    reason = error.message;
  });
  const ended = new Promise<LinkEnd>((resolve) => {
    ws.on('close', (code, bytes) => {
      const said = bytes.length > 0 ? String(bytes) : reason;
      resolve({ code, reason: said, ...(status === undefined ? {} : { status }) });
    });
  });
  return {
    ended,
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    destroy: () => ws.terminate(),
  };
}

function openEvents({ url, token, since, more = {}, onMessage }: LinkOptions): LiveLink {
  const query = new URLSearchParams({ data: '1', ...(more as Record<string, string>) });
  const request = http.get(`${url}/sync/events?${query}`, {
    agent: false,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(since === null ? {} : { 'Last-Event-ID': since }),
    },
  });
  let retry: number | undefined;
  let body: http.IncomingMessage | undefined;
  const ended = new Promise<LinkEnd>((resolve) => {
    const end = (code: number, reason: string, status?: number): void => {
      resolve({
        ...{ code, reason },
        ...(status === undefined ? {} : { status }),
        ...(retry === undefined ? {} : { retry }),
      });
    };
    request.on('error', (error) => end(1006, error.message));
    request.on('response', (response) => {
      const { statusCode } = response;
      if (statusCode !== 200) {
        response.resume();
        end(1006, 'refused', statusCode);
        return;
      }
      body = response;
      readEvents(response, {
        onMessage,
        onRetry: (ms) => {
          retry = ms;
        },
      });
      response.on('error', (error) => end(1006, error.message));
      response.on('close', () => end(response.complete ? 1000 : 1006, ''));
    });
  });
  return {
    ended,
    pause: () => body?.pause(),
    resume: () => body?.resume(),
    destroy: () => request.destroy(),
  };
}

interface EventListener {
  onMessage(message: LiveMessage): void;
  onRetry(ms: number): void;
}

/** Events arrive in pieces of any size; only whole ones count. */
function readEvents(body: http.IncomingMessage, listener: EventListener): void {
  let text = '';
  body.setEncoding('utf8').on('data', (piece: string) => {
    const events = (text + piece).split('\n\n');
    text = events.pop() as string;
    for (const event of events) readEvent(event, listener);
  });
}

function readEvent(event: string, { onMessage, onRetry }: EventListener): void {
  const fields = new Map(
    event.split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trimStart()] as const;
    }),
  );
  const retry = fields.get('retry');
  if (retry !== undefined) onRetry(Number(retry));
  const type = fields.get('event');
  if (type === undefined) return;
  const data = JSON.parse(fields.get('data') ?? '{}') as object;
  const id = fields.get('id');
  onMessage({ ...data, ...(id === undefined ? {} : { id }), type });
}
