/** The listening socket: time and size limits, answers to broken requests, graceful close. */

import {
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
  createServer,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer, getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { SyncError } from '../protocol/errors.ts';
import { errorEnvelope } from './error-response.ts';
import type { HttpEnv } from './exchange.ts';
import {
  CONNECTIONS_CHECK_MS,
  HEADERS_TIMEOUT_MS,
  HEADER_BYTES_MAX,
  IDLE_SOCKET_MS,
  IDLE_SWEEP_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
} from './http-limits.ts';

/** Where to listen and how patient to be. */
export interface ServerSettings {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** How long `close` waits for running requests when it is not told otherwise, ms. */
  readonly drain_ms: number;
  onListening?(at: { address: string; port: number }): void;
  /** True inside somebody else's process: the global `Request` and `Response` stay as they are. */
  readonly embedded?: boolean;
  /** Shorter time limits, ms; for tests of the limits themselves. */
  readonly timeouts?: {
    readonly headers?: number;
    readonly request?: number;
    readonly idle?: number;
  };
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  readonly address: string;
  /** Stops accepting, lets running requests finish within the time (ms), then cuts the rest. */
  close(graceMs?: number): Promise<void>;
}

/** Why a server could not listen; `code` is the system's, for example EADDRINUSE. */
export class ListenError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'ListenError';
    this.code = code;
  }
}

/** Starts to listen. Throws `ListenError` when the address is taken or not permitted. */
export async function startServer(
  app: Hono<HttpEnv>,
  settings: ServerSettings,
): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    overrideGlobalObjects: settings.embedded !== true,
    serverOptions: {
      headersTimeout: settings.timeouts?.headers ?? HEADERS_TIMEOUT_MS,
      requestTimeout: settings.timeouts?.request ?? REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // `isUsable` asks for it too, and answers with an envelope.
      requireHostHeader: false,
    },
    createServer: createGuardedServer as typeof createServer,
  }) as Server;
  server.timeout = settings.timeouts?.idle ?? IDLE_SOCKET_MS;
  server.on('clientError', answerClientError);
  await listen(server, settings);
  const { address, port } = server.address() as AddressInfo;
  settings.onListening?.({ address, port });
  return {
    address,
    port,
    close: (graceMs = settings.drain_ms) => closeGracefully(server, graceMs),
  };
}

/** Answers requests of a server that somebody else made; its limits and time-outs stay theirs. */
export function createListener(app: Hono<HttpEnv>): RequestListener {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (incoming, outgoing) => {
    if (isUsable(incoming)) void listener(incoming, outgoing);
    else refuseRequest(outgoing);
  };
}

/** The adapter answers what it cannot make a request of with an empty 400: checked before it. */
function createGuardedServer(options: ServerOptions, listener: RequestListener): Server {
  const server = createServer(options, (incoming, outgoing) => {
    // A caller that keeps its connection busy would otherwise hold a closing server open.
    if (!server.listening) outgoing.shouldKeepAlive = false;
    if (isUsable(incoming)) listener(incoming, outgoing);
    else refuseRequest(outgoing);
  });
  return server;
}

/**
 * One host that is a host, and a target that is a path or an http address. A second Host header is
 * how a request means one thing to a proxy and another here.
 */
function isUsable(incoming: IncomingMessage): boolean {
  const { rawHeaders, url = '' } = incoming;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts !== 1) return false;
  const host = incoming.headers.host ?? '';
  if (PLAIN_HOST.test(host) && PLAIN_TARGET.test(url)) return true;
  if (url.includes('\\') || !isHost(host)) return false;
  return URL.canParse(url.startsWith('/') ? `http://${host}${url}` : url);
}

const PLAIN_HOST = /^[a-z0-9._-]+(?::\d{1,5})?$/;
const PLAIN_TARGET = /^\/[\w/?&=.,:%~+-]*$/;

function isHost(host: string): boolean {
  return /^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}/`);
}

function refuseRequest(outgoing: ServerResponse): void {
  const body = envelopeText('invalid_request', 'malformed_http');
  outgoing.writeHead(400, { ...ERROR_HEADERS, 'Content-Length': Buffer.byteLength(body) });
  outgoing.end(body);
}

const ERROR_HEADERS = {
  'Content-Type': 'application/json',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  Connection: 'close',
};

/**
 * What never became a request: broken syntax, too many header bytes, too slow. Node would write an
 * empty answer; without a listener for a reset socket it would do nothing, with one that forgets
 * the socket it would leak it.
 */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || hasBegunAnswer(socket)) {
    socket.destroy();
    return;
  }
  const [status, body] = clientErrorAnswer(error.code);
  const lines = Object.entries(ERROR_HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status}\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function clientErrorAnswer(code: string | undefined): readonly [status: string, body: string] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return ['408 Request Timeout', envelopeText('request_timeout')];
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return [
      '431 Request Header Fields Too Large',
      envelopeText('invalid_request', 'headers_too_large'),
    ];
  }
  return ['400 Bad Request', envelopeText('invalid_request', 'malformed_http')];
}

function envelopeText(code: 'invalid_request' | 'request_timeout', reason?: string): string {
  const error = new SyncError(code, reason === undefined ? {} : { details: { reason } });
  return JSON.stringify(errorEnvelope(error, '-'));
}

/** Node keeps the answer that a socket is writing in a field without a public name. */
function hasBegunAnswer(socket: Socket & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}

function listen(server: Server, { host, port }: ServerSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'UNKNOWN';
      reject(new ListenError(code, `cannot listen on ${host}:${port} (${code})`, { cause: error }));
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

/** Connections that finish their request while closing become idle and are closed by the sweep. */
function closeGracefully(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
  });
}
