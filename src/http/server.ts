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
import type { Duplex } from 'node:stream';
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
import { isUsable } from './usable-request.ts';

/** A request that asks for an upgrade; `head` is what came after it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Takes over the sockets of requests that ask for an upgrade. */
export interface UpgradeTaker {
  /** Must listen for errors of the socket at once. `serve` answers the request as if it asked for none. */
  upgrade(upgrade: Upgrade, serve: (socket: Duplex) => void): void;
  /** Refuses new ones and asks the open ones to end. */
  stop(): void;
  /** Cuts what is left. */
  terminate(): void;
  /** Resolves when every connection was accounted for. */
  idle(): Promise<void>;
}

/** Where to listen and how patient to be. */
export interface ServerSettings {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** How long `close` waits for running requests when it is not told otherwise, ms. */
  readonly drain_ms: number;
  onListening?(at: { address: string; port: number }): void;
  /** What takes upgraded connections; without it an upgrade is an ordinary request. */
  readonly streams?: UpgradeTaker;
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
  const { streams } = settings;
  if (streams !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      streams.upgrade({ request, socket, head }, (again) => server.emit('connection', again)),
    );
  }
  await listen(server, settings);
  const { address, port } = server.address() as AddressInfo;
  settings.onListening?.({ address, port });
  return {
    address,
    port,
    close: (graceMs = settings.drain_ms) => closeGracefully(server, graceMs, streams),
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
function closeGracefully(server: Server, graceMs: number, streams?: UpgradeTaker): Promise<void> {
  streams?.stop();
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    const cut = setTimeout(() => {
      server.closeAllConnections();
      streams?.terminate();
    }, graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve(streams?.idle());
    });
  });
}
