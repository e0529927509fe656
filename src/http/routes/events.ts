/** GET /sync/events, its alias /sync/watch, and GET /sync/subscribers. */

import type { RequestContext } from '../../core/context.ts';
import { type EventsQuery, parseEventsQuery, type Subscriber } from '../../protocol/events.ts';
import { EventStream } from '../events/event-stream.ts';
import { OpenStreams } from '../events/open-streams.ts';
import { CallerWatch } from '../events/watch-caller.ts';
import { type Exchange, readQuery, reply, replyJson } from '../exchange.ts';
import { EVENT_RETRY_MS, EVENT_RETRY_SPREAD_MS } from '../http-limits.ts';
import type { AppOptions, SyncRoute } from '../route.ts';
import type { DescribedAnswer } from '../route-description.ts';

const EVENT_STREAM = 'text/event-stream';

const STREAM_ANSWER: DescribedAnswer = {
  status: 200,
  text: 'Events until one side ends the stream. Every `id` is a place to go on from.',
  type: EVENT_STREAM,
  events: {
    connected: 'ConnectedEvent',
    bundle: 'BundleEvent',
    change: 'ChangeEvent',
    caught_up: 'CaughtUpEvent',
    full_resync_required: 'PullStale',
    error: 'ErrorEvent',
    ping: 'PingEvent',
  },
};

/** Committed changes as they happen. */
export const eventsRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/events',
  auth: true,
  offers: [EVENT_STREAM],
  about: {
    id: 'events',
    tag: 'Sync',
    summary: 'Server-sent events of committed changes',
    text: 'A stream of `bundle` (hints to pull) or, with `data=1`, of every row as `change`, in commit order from `since` without a gap. `retry:` says when to come again, with Last-Event-ID. Names of events that servers with an upstream have (`syncProgress`, `syncMessage`, `syncComplete`, `syncError`) and `conflict` are taken by `types`; this server sends none of them. An actor has few streams at a time (`stream.max_events_per_actor`). HEAD is checked like GET and opens nothing.',
    query: 'EventsParameters',
    headers: 'EventsRequestHeaders',
    answers: [STREAM_ANSWER],
    errors: ['validation_failed', 'hlc_invalid', 'collection_forbidden'],
  },
  handle: (exchange, options, context) => openStream(exchange, options, { context, watch: false }),
};

/** The same as hints only. */
export const watchRoute: SyncRoute = {
  ...eventsRoute,
  path: '/sync/watch',
  about: {
    ...eventsRoute.about,
    id: 'watch',
    summary: 'Server-sent hints to pull',
    text: '`/sync/events` with `types=bundle`: `connected`, then a `bundle` whenever there is something to pull.',
    query: 'WatchParameters',
  },
  handle: (exchange, options, context) => openStream(exchange, options, { context, watch: true }),
};

/** Who reads live changes of the caller's scope, in this process. */
export const subscribersRoute: SyncRoute = {
  method: 'GET',
  path: '/sync/subscribers',
  auth: true,
  offers: ['application/json'],
  about: {
    id: 'subscribers',
    tag: 'Sync',
    summary: 'Who reads live changes of this scope',
    text: 'Readers that are connected to the process that answers: how far each is, and what waits for it. Readers of other scopes, and names of collections that the caller may not read, are left out.',
    answers: [
      { status: 200, text: 'The readers', type: 'application/json', shapes: ['Subscribers'] },
    ],
    errors: [],
  },
  handle(exchange, options, context) {
    const subscribers = options.live.list(context.scope_id).map((one) => ({
      ...one,
      collections: one.collections.filter((name) =>
        options.access.authorize(context.identity, name, 'pull'),
      ),
    })) satisfies readonly Readonly<Subscriber>[];
    return replyJson(exchange, 200, { subscribers });
  },
};

const HEADERS = {
  'Content-Type': EVENT_STREAM,
  // A proxy that compresses or collects would hold events back.
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

function openStream(
  exchange: Exchange,
  options: AppOptions,
  { context, watch }: { readonly context: RequestContext; readonly watch: boolean },
): Response {
  const last_event_id = exchange.request.headers.get('last-event-id');
  const query = parseEventsQuery(readQuery(exchange), { last_event_id, watch });
  if (exchange.method === 'HEAD') {
    return reply(exchange, { status: 200, body: null, headers: HEADERS });
  }
  const body = subscribe(exchange, options, { context, query });
  return reply(exchange, { status: 200, body, headers: HEADERS });
}

function subscribe(
  exchange: Exchange,
  options: AppOptions,
  { context, query }: { readonly context: RequestContext; readonly query: EventsQuery },
): ReadableStream<Uint8Array> {
  const { clock, admission } = options;
  const streams = streamsOf(options);
  const place = admission.takePlace('events', context.identity.actor_id);
  const visited = { visit: (_now: number) => {} };
  const stream = new EventStream({
    query,
    request_id: exchange.request_id,
    now: clock.monotonic(),
    retryMs: () => retryMs(options),
    closed() {
      place.release();
      streams.remove(visited);
    },
  });
  const { since, collections, client_id } = query;
  const mode = query.rows ? 'rows' : 'hints';
  try {
    const request = { since, collections, mode, transport: 'events', client_id } as const;
    stream.attach(options.live.subscribe(context, request, stream));
  } catch (error) {
    stream.close();
    throw error;
  }
  const caller = { exchange, context, collections: stream.collections };
  const watch = new CallerWatch(options, caller, (error) => stream.fail(error));
  visited.visit = (now) => {
    watch.visit(now);
    stream.visit(now);
  };
  streams.add(visited);
  // A caller may be gone before it was let in.
  if (context.signal?.aborted === true) stream.close();
  context.signal?.addEventListener('abort', () => stream.close(), { once: true });
  return stream.body;
}

/** After a restart everybody comes again: not all at once. */
function retryMs({ crypto }: AppOptions): number {
  const share = Number.parseInt(crypto.randomHex(2), 16) / 65_536;
  return EVENT_RETRY_MS + Math.floor(share * EVENT_RETRY_SPREAD_MS);
}

const open = new WeakMap<AppOptions, OpenStreams>();

/** One timer per application. */
function streamsOf(options: AppOptions): OpenStreams {
  const known = open.get(options) ?? new OpenStreams(options.clock);
  open.set(options, known);
  return known;
}
