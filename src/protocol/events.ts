/** GET /sync/events (E14): query, events and their data; and GET /sync/subscribers. */

import { z } from 'zod';
import { FailureDetails } from './error-envelope.ts';
import { SyncError } from './errors.ts';
import { ERROR_CODES } from './pure/error-codes.ts';
import { type Hlc, isHlc } from './pure/hlc.ts';
import { isClientId } from './pure/ids.ts';
import { PullChange } from './pull.ts';
import { QueryReader } from './query.ts';

/** Names of events that a stream has. */
export const EVENT_TYPES = [
  'connected',
  'bundle',
  'change',
  'caught_up',
  'full_resync_required',
  'error',
  'ping',
] as const;
/** Name of an event that a stream has. */
export type EventType = (typeof EVENT_TYPES)[number];

/**
 * Names that belong to servers with an upstream, and to conflicts that wait for a person. `types`
 * takes them, so that a client may ask for them everywhere; this server has none to send.
 */
export const RESERVED_EVENT_TYPES = [
  'syncProgress',
  'syncMessage',
  'syncComplete',
  'syncError',
  'conflict',
] as const;

const KNOWN_TYPES: readonly string[] = [...EVENT_TYPES, ...RESERVED_EVENT_TYPES];

/** Data of `connected`, the first event. */
export const ConnectedEvent = z
  .object({
    client_id: z.string().nullable().describe('As the query named it'),
    head_version: z.string().describe('Newest version of the scope when the stream began'),
  })
  .meta({ id: 'ConnectedEvent', description: 'Event `connected`: the stream begins' });

/** Data of `bundle`: there is something to pull. */
export const BundleEvent = z
  .object({
    bundle_seq: z.int().describe('Number of the newest bundle in its scope'),
    last_version: z.string().describe('Pull until here'),
    client_id: z.string().nullable().describe('Who made it; null when unknown'),
    row_count: z.int().describe('Rows of this bundle; earlier ones may be hinted at by it as well'),
  })
  .meta({ id: 'BundleEvent', description: 'Event `bundle`: something was committed' });

/** Data of `change`: a row of the log. */
export const ChangeEvent = PullChange.extend({
  type: z.literal('change').describe('As in the frames of a WebSocket'),
}).meta({ id: 'ChangeEvent', description: 'Event `change`: a row as a pull gives it' });

/** Data of `caught_up`: everything before it was written. */
export const CaughtUpEvent = z
  .object({ last_seq: z.string().describe('Everything up to this version was written') })
  .meta({ id: 'CaughtUpEvent', description: 'Event `caught_up`: what follows is live' });

/** Data of `error`: why the server ends the stream. */
export const ErrorEvent = z
  .object({
    code: z.enum(ERROR_CODES).describe('Code of the closed catalogue'),
    message: z.string().describe('Text of the code'),
    retryable: z.boolean().describe('True when a new stream may succeed later'),
    request_id: z.string().describe('The X-Request-Id of the stream'),
    details: FailureDetails.optional().describe('Facts of this occurrence'),
  })
  .meta({ id: 'ErrorEvent', description: 'Event `error`: the last one of a stream that failed' });

/** Data of `ping`. */
export const PingEvent = z
  .object({})
  .meta({ id: 'PingEvent', description: 'Event `ping`: the heartbeat of `ping=event`' });

/** One reader of live changes, as its own scope may see it. */
export const Subscriber = z
  .object({
    subscription_id: z.string().describe('Names it in this process'),
    transport: z.enum(['websocket', 'events']).describe('How it is connected'),
    mode: z.enum(['rows', 'hints']).describe('Whether it gets rows, or only hears of bundles'),
    actor_id: z.string().describe('Who reads'),
    client_id: z.string().nullable().describe('Where; null when it was not named'),
    collections: z.array(z.string()).describe('What is delivered and the caller may read too'),
    state: z.enum(['starting', 'replaying', 'live']).describe('How far it is'),
    position: z.string().nullable().describe('Everything up to here was written; null at first'),
    behind_rows: z.int().nullable().describe('Rows that were not written yet; null at first'),
    buffered_bytes: z.int().describe('Written and not taken yet'),
    stalled_ms: z.int().describe('How long it took nothing although there is something to take'),
    sent: z.int().describe('Rows or hints that were written'),
    since_ms: z.int().describe('When it began, ms since 1970'),
  })
  .meta({ id: 'Subscriber', description: 'One reader of live changes' });
/** One reader of live changes. */
export type Subscriber = z.infer<typeof Subscriber>;

/** The readers of the caller's scope in the process that answers. */
export const Subscribers = z
  .object({ subscribers: z.array(Subscriber).describe('Oldest first') })
  .meta({ id: 'Subscribers', description: 'Readers of this scope in the process that answers' });

const COMMON = {
  since: z
    .string()
    .optional()
    .describe('Begin after this version; without it, and without Last-Event-ID, with what is new')
    .meta({ examples: ['19700101T000000.000Z-0000'] }),
  collections: z
    .string()
    .optional()
    .describe('Names separated by commas; without it all that the caller may read'),
  client_id: z.string().optional().describe('Names the device to people; it authorises nothing'),
  ping: z
    .literal('event')
    .optional()
    .describe('Heartbeats are events `ping` instead of comments, for clients that look for them'),
};

/** Query of `/sync/events`. It arrives as text and is read by `parseEventsQuery`. */
export const EventsParameters = z.object({
  ...COMMON,
  types: z
    .string()
    .optional()
    .describe('Names of events separated by commas: only these, beside `connected` and the last'),
  data: z
    .enum(['0', '1'])
    .optional()
    .describe('1: rows as `change`; else only `bundle`, a hint to pull'),
});

/** Query of `/sync/watch`. */
export const WatchParameters = z.object(COMMON);

/** The header by which a browser says where a broken stream ended. */
export const EventsRequestHeaders = z.object({
  'Last-Event-ID': z
    .string()
    .optional()
    .describe('The `id` of the last event that arrived. Wins over `since`'),
});

/** A checked query. `collections` undefined = all that the caller may read. */
export interface EventsQuery {
  /** Null = from now on. */
  readonly since: Hlc | null;
  readonly collections: readonly string[] | undefined;
  readonly client_id: string | null;
  /** Rows, not hints. */
  readonly rows: boolean;
  /** Undefined = all. */
  readonly types: ReadonlySet<string> | undefined;
  readonly ping_events: boolean;
}

/** Where a query comes from: the address, the header, and whether it is one of `/sync/watch`. */
export interface EventsQuerySource {
  readonly last_event_id: string | null;
  readonly watch: boolean;
}

const EVENTS_NAMES: readonly string[] = Object.keys(EventsParameters.shape);
const WATCH_NAMES: readonly string[] = Object.keys(WatchParameters.shape);

/** Reads the query of a stream. Throws 422 `validation_failed` or `hlc_invalid` [SE-3, SE-4]. */
export function parseEventsQuery(query: URLSearchParams, source: EventsQuerySource): EventsQuery {
  const { last_event_id, watch } = source;
  const reader = new QueryReader(query, watch ? WATCH_NAMES : EVENTS_NAMES);
  const collections = reader.collections();
  const rows = readData(reader);
  const types = watch ? new Set(['bundle']) : readTypes(reader, rows);
  const client_id = reader.text('client_id') ?? null;
  if (client_id !== null && !isClientId(client_id)) {
    reader.fault('client_id', 'invalid_client_id', 'client_id must be 1 to 128 characters');
  }
  const ping = reader.text('ping');
  if (ping !== undefined && ping !== 'event') {
    reader.fault('ping', 'invalid_ping', 'ping can only be "event"');
  }
  reader.finish();
  const since = checkedHlc(reader.text('since'), '?since');
  // A browser repeats the address of a stream it opens again: the header is the newer word.
  const last = checkedHlc(last_event_id ?? undefined, 'Last-Event-ID');
  return {
    since: last ?? since,
    collections,
    client_id,
    rows,
    types,
    ping_events: ping === 'event',
  };
}

function readData(reader: QueryReader): boolean {
  const text = reader.text('data');
  if (text !== undefined && text !== '0' && text !== '1') {
    reader.fault('data', 'invalid_data', 'data must be 0 or 1');
  }
  return text === '1';
}

function readTypes(reader: QueryReader, rows: boolean): ReadonlySet<string> | undefined {
  const text = reader.text('types');
  if (text === undefined) return undefined;
  const types = new Set(text.split(',').filter((name) => name !== ''));
  const unknown = [...types].some((name) => !KNOWN_TYPES.includes(name));
  if (types.size === 0 || unknown) {
    reader.fault('types', 'invalid_types', `known types are ${KNOWN_TYPES.join(', ')}`);
  }
  const [sent, other] = rows ? ['change', 'bundle'] : ['bundle', 'change'];
  if (types.has(other) && !types.has(sent)) {
    const wanted = rows ? '"bundle" needs data=0' : '"change" needs data=1';
    reader.fault('types', 'invalid_types', `${wanted}; this stream would stay empty`);
  }
  return types;
}

function checkedHlc(text: string | undefined, path: string): Hlc | null {
  if (text === undefined) return null;
  if (isHlc(text)) return text;
  throw new SyncError('hlc_invalid', {
    details: {
      issues: [{ path, code: 'invalid_since', message: 'send the id of an event, an HLC' }],
    },
  });
}
