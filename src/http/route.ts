/** What a route is: a row of the table in `app.ts`. */

import type { RequestContext } from '../core/context.ts';
import type { SyncEngine } from '../core/engine.ts';
import type { Access } from '../core/ports/access.ts';
import type { LiveDelivery } from '../core/ports/live.ts';
import type { Clock, Crypto } from '../core/ports/system.ts';
import type { Readiness } from '../protocol/status.ts';
import type { Exchange } from './exchange.ts';
import type { RequestLog } from './request-log.ts';
import type { RouteDescription } from './route-description.ts';
import type { Admission } from './stream/admission.ts';

/** Bounds from the configuration; units and maxima are in `protocol/pure/limits.ts`. */
export interface HttpLimits {
  readonly max_body_bytes: number;
  readonly push_max_changes: number;
  readonly pull_default_limit: number;
  readonly pull_max_limit: number;
  readonly full_default_limit: number;
  readonly full_max_limit: number;
}

/** The metrics page and who may read it. */
export interface MetricsPage {
  text(): Promise<{ body: string; type: string }>;
  /** Bearer token that the page asks for; null = none. */
  readonly token: string | null;
}

/** Everything the HTTP layer is made of. */
export interface AppOptions {
  readonly engine: Pick<
    SyncEngine,
    'epoch' | 'push' | 'writeServerChanges' | 'pull' | 'full' | 'status' | 'capabilities'
  >;
  readonly access: Access;
  /** Delivery of committed changes. */
  readonly live: LiveDelivery;
  readonly limits: HttpLimits;
  /** Origins that browsers may call from, exactly as they send them; empty = none. */
  readonly cors: readonly string[];
  readiness(): Promise<Readiness>;
  readonly metrics: MetricsPage;
  /** Bearer token of back ends that write; null or absent = their path does not exist. */
  readonly server_token?: string | null;
  readonly requestLog: RequestLog;
  /** Places of open connections, shared by sockets and event streams. */
  readonly admission: Admission;
  readonly clock: Clock;
  readonly crypto: Crypto;
}

/** A route for everybody. */
export interface PublicRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly auth: false;
  readonly about: RouteDescription;
  /** Absent = always. */
  served?(options: AppOptions): boolean;
  handle(exchange: Exchange, options: AppOptions): Promise<Response> | Response;
}

/** A route for an authenticated caller and one scope. */
export interface SyncRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly auth: true;
  readonly about: RouteDescription;
  /** Absent = always. */
  served?(options: AppOptions): boolean;
  /** Media types that the answer can have. */
  readonly offers: readonly string[];
  handle(
    exchange: Exchange,
    options: AppOptions,
    context: RequestContext,
  ): Promise<Response> | Response;
}

/** A row of the route table. */
export type Route = PublicRoute | SyncRoute;

/** The routes that exist with these options. */
export function servedRoutes(routes: readonly Route[], options: AppOptions): readonly Route[] {
  return routes.filter((route) => route.served?.(options) ?? true);
}
