/** WS /sync/stream: the messages of both sides, and how a client's message is read. */

import { z } from 'zod';
import { FailureDetails } from './error-envelope.ts';
import { SyncError } from './errors.ts';
import { fieldIssues } from './near-miss.ts';
import { PullChange, PullStale } from './pull.ts';
import { ERROR_CODES, type Issue } from './pure/error-codes.ts';
import { type Hlc, isHlc } from './pure/hlc.ts';
import { isClientId, isIdentityText } from './pure/ids.ts';
import { COLLECTIONS_PER_REQUEST_MAX } from './pure/limits.ts';

/** The field by which messages are told apart. */
function typed<Name extends string>(name: Name) {
  return z.literal(name).describe('Tells what the message is');
}

const token = z.string().describe('A bearer token, without the word Bearer');

/** First message, or a later one that replaces what is followed. */
export const StreamSubscribe = z
  .object({
    type: typed('subscribe'),
    since: z
      .string()
      .nullable()
      .describe('Deliver what came after this version; null = from now on'),
    collections: z
      .array(z.string())
      .optional()
      .describe('Names; without it all that the caller may read'),
    token: token.optional().describe('A bearer token, for callers that cannot send the header'),
    scope_id: z
      .string()
      .optional()
      .describe("One of the token's scopes; needed when it has several"),
    client_id: z.string().optional().describe('Names the device to people; authorises nothing'),
    epoch: z
      .string()
      .optional()
      .describe('The history that the caller knows; another one is answered with a full resync'),
  })
  .meta({ id: 'StreamSubscribe', description: 'Asks for the changes of a scope' });

/** A token for the connection. */
export const StreamAuth = z
  .object({ type: typed('auth'), token })
  .meta({ id: 'StreamAuth', description: 'Authenticates, or replaces a token before it expires' });

/** Messages without content. */
export const StreamSignal = z
  .object({
    type: z
      .enum(['unsubscribe', 'ping', 'pong', 'ack'])
      .describe('ping is answered pong; pong and ack change nothing'),
  })
  .meta({ id: 'StreamSignal', description: 'A message of a client without content' });

/** Answer to a subscription. */
export const StreamSubscribed = z
  .object({
    type: typed('subscribed'),
    since: z.string().describe('Rows follow from here'),
    head: z.string().describe('Newest version of the scope'),
    scope_id: z.string().describe('The scope that is followed'),
    collections: z.array(z.string()).describe('Collections that are delivered'),
    epoch: z.string().describe('The history that versions belong to'),
  })
  .meta({ id: 'StreamSubscribed', description: 'A subscription began' });

/** One row. */
export const StreamChange = z
  .object({ type: typed('change'), ...PullChange.shape })
  .meta({ id: 'StreamChange', description: 'A row as a pull gives it' });

/** The replay is over. */
export const StreamCaughtUp = z
  .object({
    type: typed('caught_up'),
    last_seq: z.string().describe('Everything up to here was delivered'),
  })
  .meta({ id: 'StreamCaughtUp', description: 'What follows is live' });

/** Heartbeat of the server, or its answer to a ping. */
export const StreamPing = z
  .object({
    type: z.enum(['ping', 'pong']).describe('pong answers a ping of the client'),
    last_seq: z
      .string()
      .optional()
      .describe('With ping: everything up to here was delivered; the next `since`'),
  })
  .meta({ id: 'StreamPing', description: 'The connection lives' });

/** The history does not reach back. */
export const StreamResync = z
  .object({
    type: typed('full_resync_required'),
    ...PullStale.omit({ full_resync_required: true }).shape,
  })
  .meta({ id: 'StreamResync', description: 'A full resync is needed; close 4410 follows' });

/** Why the connection is closed. */
export const StreamError = z
  .object({
    type: typed('error'),
    code: z.enum(ERROR_CODES).describe('Code of the error catalogue'),
    message: z.string().describe('The same text for every error of this code'),
    retryable: z.boolean().describe('True when a new connection may succeed later'),
    request_id: z.string().describe('Name of the connection in the log of the server'),
    details: FailureDetails.optional().describe('Facts of this occurrence'),
  })
  .meta({ id: 'StreamError', description: 'An error; the connection is closed after it' });

/** A checked subscription. */
export interface SubscribeMessage {
  readonly type: 'subscribe';
  readonly since: Hlc | null;
  readonly collections: readonly string[] | undefined;
  readonly token: string | undefined;
  readonly scope_id: string | undefined;
  readonly client_id: string | null;
  readonly epoch: string | undefined;
}

/** A checked message of a client. */
export type StreamMessage =
  | SubscribeMessage
  | { readonly type: 'auth'; readonly token: string }
  | { readonly type: 'unsubscribe' | 'ping' | 'pong' | 'ack' };

const SUBSCRIBE_FIELDS: readonly string[] = Object.keys(StreamSubscribe.shape);
const AUTH_FIELDS: readonly string[] = Object.keys(StreamAuth.shape);
const SIGNALS: readonly unknown[] = StreamSignal.shape.type.options;

/** Checks a parsed message. Throws 400 `invalid_request`, 422 `validation_failed` or `hlc_invalid`. */
export function parseStreamMessage(value: unknown): StreamMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unreadable('invalid_message');
  }
  const sent = value as Record<string, unknown>;
  const { type } = sent;
  if (type === 'subscribe') return readSubscribe(sent);
  if (type === 'auth') return readAuth(sent);
  if (SIGNALS.includes(type)) return { type: type as 'ping' };
  throw unreadable('unknown_type');
}

function readSubscribe(sent: Record<string, unknown>): SubscribeMessage {
  const { since, collections, token, scope_id, client_id, epoch } = sent;
  const issues = fieldIssues(sent, SUBSCRIBE_FIELDS, 'stream');
  for (const [name, isFine, code, message] of OPTIONAL_FIELDS) {
    const value = sent[name];
    if (value !== undefined && !isFine(value)) issues.push({ path: `/${name}`, code, message });
  }
  if (issues.length > 0) throw new SyncError('validation_failed', { details: { issues } });
  if (since !== null && !isHlc(since)) throw junkSince();
  return {
    type: 'subscribe',
    since,
    collections: collections === undefined ? undefined : [...new Set(collections as string[])],
    token: token as string | undefined,
    scope_id: scope_id as string | undefined,
    client_id: (client_id as string | undefined) ?? null,
    epoch: epoch as string | undefined,
  };
}

function readAuth(sent: Record<string, unknown>): StreamMessage {
  const issues = fieldIssues(sent, AUTH_FIELDS, 'stream');
  const { token } = sent;
  if (!isText(token)) {
    issues.push({ path: '/token', code: 'invalid_token', message: 'token must be a text' });
  }
  if (issues.length > 0) throw new SyncError('validation_failed', { details: { issues } });
  return { type: 'auth', token: token as string };
}

const COLLECTIONS_TEXT = `name 1 to ${COLLECTIONS_PER_REQUEST_MAX} collections in a list`;

/** Fields that may be absent: what is fine, and what is said otherwise. */
const OPTIONAL_FIELDS: readonly (readonly [
  name: string,
  isFine: (value: unknown) => boolean,
  code: Issue['code'],
  message: string,
])[] = [
  ['collections', areNames, 'invalid_collections', COLLECTIONS_TEXT],
  ['token', isText, 'invalid_token', 'token must be a text'],
  ['scope_id', isIdentityText, 'invalid_scope_id', nameText('scope_id')],
  ['client_id', isClientId, 'invalid_client_id', nameText('client_id')],
  ['epoch', isText, 'invalid_epoch', 'epoch must be a text'],
];

function nameText(name: string): string {
  return `${name} must be a string of 1 to 128 characters without control characters`;
}

function areNames(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= COLLECTIONS_PER_REQUEST_MAX &&
    value.every((name) => isText(name))
  );
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** An absent `since` is refused too: guessed as "from now on", it would lose changes silently. */
function junkSince(): SyncError {
  const message = 'since must be an HLC, or null for "from now on"';
  return new SyncError('hlc_invalid', {
    details: { issues: [{ path: '/since', code: 'invalid_since', message }] },
  });
}

function unreadable(reason: string): SyncError {
  return new SyncError('invalid_request', { details: { reason } });
}
