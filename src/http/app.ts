/** The HTTP application: the route table and the order in which a request is judged. */

import { type Context, Hono } from 'hono';
import { SyncError } from '../protocol/errors.ts';
import { HEADER_PROTOCOL, PROTOCOL_VERSION } from '../protocol/pure/headers.ts';
import { URI_BYTES_MAX } from '../protocol/pure/limits.ts';
import { errorResponse, toSyncError } from './error-response.ts';
import { type Exchange, type HttpEnv, openExchange, requestTarget } from './exchange.ts';
import { authenticate } from './middleware/authenticate.ts';
import { corsHeaders, isPreflight, preflightResponse } from './middleware/cors.ts';
import { acceptsAny } from './middleware/negotiate.ts';
import { closingBody, hasUnreadBody } from './middleware/refuse-body.ts';
import { requestIds } from './request-ids.ts';
import { type AppOptions, type Route, servedRoutes } from './route.ts';
import { capabilitiesRoute } from './routes/capabilities.ts';
import { consoleRoute, docsRoute, openApiRoute } from './routes/documents.ts';
import { eventsRoute, subscribersRoute, watchRoute } from './routes/events.ts';
import { fullRoute } from './routes/full.ts';
import { healthRoute, indexRoute, metricsRoute, readyRoute } from './routes/operations.ts';
import { pullRoute } from './routes/pull.ts';
import { pushRoute } from './routes/push.ts';
import { serverChangesRoute } from './routes/server-changes.ts';
import { statusPostRoute, statusRoute } from './routes/status.ts';
import { streamRoute } from './routes/stream.ts';

export type { AppOptions } from './route.ts';

/** The routes as a Hono application. */
export type SyncApp = Hono<HttpEnv>;

/** Every route there is; some are served only when they are configured. */
export const ROUTES: readonly Route[] = [
  pushRoute,
  pullRoute,
  fullRoute,
  statusRoute,
  statusPostRoute,
  eventsRoute,
  watchRoute,
  subscribersRoute,
  streamRoute,
  capabilitiesRoute,
  serverChangesRoute,
  healthRoute,
  readyRoute,
  metricsRoute,
  indexRoute,
  openApiRoute(() => ROUTES),
  docsRoute(() => ROUTES),
  consoleRoute,
];

/**
 * Mounts the routes. Each has one handler and there is no middleware beside it: the router then
 * calls it directly, and the order of the checks stands in one function, `answer`.
 */
export function createApp(
  options: AppOptions,
  isWanted: (path: string) => boolean = () => true,
): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const routes = servedRoutes(ROUTES, options).filter((route) => isWanted(route.path));
  const run = { options, routes, newRequestId: requestIds(options) };
  for (const route of routes) {
    app.on(route.method, route.path, (c) => serve(run, c, { route, path: route.path }));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const served = new Set(routes.flatMap((route) => (route.path === path ? route.method : [])));
    const others = METHODS.filter((method) => !served.has(method as 'GET' | 'POST'));
    app.on(others, path, (c) => serve(run, c, { path }));
  }
  app.notFound((c) => serve(run, c, {}));
  return app;
}

/**
 * Methods that are answered on every path, also where another application's "not found" would answer
 * for us because it mounted this one. HEAD goes to GET by itself.
 */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

interface Run {
  readonly options: AppOptions;
  /** The routes that exist here: any other path is answered like one that never was. */
  readonly routes: readonly Route[];
  newRequestId(): string;
}

/** What the router found: a route, a path that serves other methods, or nothing. */
interface Found {
  readonly route?: Route;
  readonly path?: string;
}

/** From a request to its answer and its log entry; nothing leaves here as an exception. */
async function serve(run: Run, c: Context<HttpEnv>, found: Found): Promise<Response> {
  const { options } = run;
  const { clock, engine, requestLog } = options;
  const started = clock.monotonic();
  const exchange = openExchange(c, {
    epoch: engine.epoch,
    now_ms: clock.now(),
    newRequestId: run.newRequestId,
  });
  let failure: SyncError | undefined;
  let response: Response;
  try {
    response = await answer(exchange, run, found);
  } catch (error) {
    failure = toSyncError(error);
    response = await refuse(exchange, options, failure);
  }
  requestLog.finished({
    request_id: exchange.request_id,
    method: exchange.method,
    route: found.path ?? knownPath(exchange, run.routes) ?? 'unmatched',
    status: response.status,
    ms: clock.monotonic() - started,
    ...(failure === undefined ? {} : failureFacts(failure)),
  });
  return response;
}

/** The order of the checks: cheap and anonymous ones first, the body last [HT-3]. */
async function answer(
  exchange: Exchange,
  { options, routes }: Run,
  { route, path }: Found,
): Promise<Response> {
  Object.assign(exchange.headers, corsHeaders(exchange, options.cors));
  if (requestTarget(exchange).length > URI_BYTES_MAX) throw new SyncError('uri_too_long');
  checkProtocol(exchange);
  if (route === undefined) return answerUnrouted(exchange, routes, path);
  if (!route.auth) return route.handle(exchange, options);
  const context = await authenticate(exchange, options.access);
  if (!acceptsAny(exchange.request.headers.get('accept'), route.offers)) {
    throw new SyncError('not_acceptable', { details: { offers: route.offers } });
  }
  return route.handle(exchange, options, context);
}

/** A preflight, a path that serves other methods, or a path that does not exist. */
function answerUnrouted(
  exchange: Exchange,
  routes: readonly Route[],
  found: string | undefined,
): Response {
  const path = found ?? knownPath(exchange, routes);
  if (path === undefined) throw new SyncError('not_found');
  const methods = routes
    .filter((route) => route.path === path)
    .flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
  if (isPreflight(exchange)) return preflightResponse(exchange, methods);
  throw new SyncError('method_not_allowed', { details: { allow: methods } });
}

function knownPath(exchange: Exchange, routes: readonly Route[]): string | undefined {
  const [path] = requestTarget(exchange).split('?', 1);
  return routes.find((route) => route.path === path)?.path;
}

function checkProtocol(exchange: Exchange): void {
  const wanted = exchange.request.headers.get(HEADER_PROTOCOL);
  if (wanted !== null && wanted !== PROTOCOL_VERSION) {
    throw new SyncError('upgrade_required', { details: { supported: [PROTOCOL_VERSION] } });
  }
}

/** The answer to a failure; one to a body that is still arriving also closes the connection. */
async function refuse(
  exchange: Exchange,
  options: AppOptions,
  failure: SyncError,
): Promise<Response> {
  const response = errorResponse(exchange, failure);
  const { incoming } = exchange;
  if (failure.code !== 'body_too_large' || !hasUnreadBody(incoming)) return response;
  const text = await response.text();
  return new Response(closingBody(text, incoming, options.clock), {
    status: response.status,
    headers: {
      ...Object.fromEntries(response.headers),
      'Content-Length': String(Buffer.byteLength(text)),
      Connection: 'close',
    },
  });
}

function failureFacts(failure: SyncError): object {
  const { code, details, cause } = failure;
  return {
    code,
    ...(details?.reason === undefined ? {} : { reason: details.reason }),
    ...(cause === undefined ? {} : { cause }),
  };
}
