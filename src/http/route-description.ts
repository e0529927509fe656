/** What a route says about itself: with the wire shapes, the only source of the OpenAPI document. */

import type { AnswerHeader } from '../protocol/header-shapes.ts';
import type { ErrorCode } from '../protocol/pure/error-codes.ts';
import type { ParameterSet, WireShape } from '../protocol/wire-schemas.ts';

/** One status that a route answers on its own account. */
export interface DescribedAnswer {
  readonly status: number;
  readonly text: string;
  /** Media type; absent = no body. */
  readonly type?: string;
  /** The body, or each of its lines, is one of these; absent = a text. */
  readonly shapes?: readonly WireShape[];
  /** The body is JSON lines. */
  readonly lines?: boolean;
  /** The body is a stream of events: the shape of the data of each. */
  readonly events?: Readonly<Record<string, WireShape>>;
  /** Headers beside those of every answer. */
  readonly headers?: readonly AnswerHeader[];
}

/** A route in words and data. */
export interface RouteDescription {
  /** What generated clients call the operation. */
  readonly id: string;
  readonly tag: 'Sync' | 'Operations';
  readonly summary: string;
  readonly text: string;
  readonly query?: ParameterSet;
  /** Request headers beside those of its kind. */
  readonly headers?: ParameterSet;
  /** Shape of the JSON body. */
  readonly body?: WireShape;
  /**
   * A bearer token that is no user's: `metrics` only where it is configured. `optional` is a user's, who
   * may send it later.
   */
  readonly token?: 'metrics' | 'service' | 'optional';
  /** Messages of an open connection, by who sends them. */
  readonly messages?: Readonly<Record<'client' | 'server', readonly WireShape[]>>;
  readonly answers: readonly DescribedAnswer[];
  /** Codes beside those that come with its kind: see the lists below. */
  readonly errors: readonly ErrorCode[];
}

/** Codes that every request can meet, before its route is looked at or when something breaks. */
export const ERRORS_OF_EVERY_REQUEST: readonly ErrorCode[] = [
  'uri_too_long',
  'upgrade_required',
  'internal',
];
/** Codes of an engine that cannot answer now. */
export const ERRORS_OF_THE_ENGINE: readonly ErrorCode[] = [
  'rate_limited',
  'service_unavailable',
  'database_unavailable',
];
/** Codes of the checks in front of every route with a scope, and of the engine behind it. */
export const ERRORS_OF_SYNC_ROUTES: readonly ErrorCode[] = [
  ...ERRORS_OF_THE_ENGINE,
  'authentication_failed',
  'scope_forbidden',
  'scope_missing',
  'scope_ambiguous',
  'not_acceptable',
];
/** Codes of reading a JSON body. */
export const ERRORS_OF_BODIES: readonly ErrorCode[] = [
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
];
