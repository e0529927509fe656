/** The HTTP layer over an engine that a test scripts: for what needs no store. */

import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Hono } from 'hono';
import type { RequestContext } from '../../../src/core/context.ts';
import type { FullAnswer, PullAnswer } from '../../../src/core/pull/answers.ts';
import { createApp } from '../../../src/http/app.ts';
import type { HttpEnv } from '../../../src/http/exchange.ts';
import type { FinishedRequest } from '../../../src/http/request-log.ts';
import type { AppOptions } from '../../../src/http/route.ts';
import { SyncError } from '../../../src/protocol/errors.ts';
import type { FullQuery } from '../../../src/protocol/full.ts';
import type { Hlc } from '../../../src/protocol/pure/hlc.ts';
import type { PullQuery } from '../../../src/protocol/pull.ts';
import type { PushRequest, PushResponse } from '../../../src/protocol/push.ts';
import type { ScopeStatus, StatusQuery } from '../../../src/protocol/scope-status.ts';
import type { Capabilities } from '../../../src/protocol/status.ts';
import { freshAdmission } from './admission.ts';
import { assertDescribed } from './described.ts';
import { FakeLive } from './fake-live.ts';
import { FAKE_NOW_MS } from './hand-clock.ts';
import { FAKE_HEAD } from './fake-head.ts';

/** The head that the fake engine names. */
export const HEAD: Hlc = FAKE_HEAD;
/** Token of the back ends. */
export const SERVER_TOKEN = 'server-token-of-at-least-32-characters';

/** What the engine was asked, and what was logged. */
export interface FakeApp {
  /** Its `request` holds every answer against the OpenAPI document [OA-4]. */
  readonly app: Hono<HttpEnv>;
  readonly asked: { name: string; context: RequestContext; query: unknown }[];
  readonly finished: FinishedRequest[];
}

/** Answers that a test may replace. */
export interface FakeAnswers {
  push?(context: RequestContext, request: PushRequest): Promise<unknown>;
  pull?(context: RequestContext, query: PullQuery): Promise<PullAnswer>;
  full?(context: RequestContext, query: FullQuery): Promise<FullAnswer>;
  status?(context: RequestContext, query: StatusQuery): Promise<ScopeStatus>;
}

/**
 * Makes the application. A bearer token is a list of scopes, `Bearer a,b` acts for `ann` in a and b;
 * everything else is refused like a bad token.
 */
export function fakeApp(answers: FakeAnswers = {}, options: Partial<AppOptions> = {}): FakeApp {
  const asked: FakeApp['asked'] = [];
  const finished: FinishedRequest[] = [];
  let ticks = 0;
  const ask =
    <Query, Answer>(name: string, answer: (context: RequestContext, query: Query) => Answer) =>
    (context: RequestContext, query: Query): Answer => {
      asked.push({ name, context, query });
      return answer(context, query);
    };
  const app = createApp({
    engine: {
      epoch: 'epoch-1',
      push: ask('push', (answers.push as AppOptions['engine']['push']) ?? acceptAll),
      writeServerChanges: (context, request) => {
        asked.push({ name: 'server', context: context as RequestContext, query: request });
        return acceptAll(context as RequestContext, request);
      },
      pull: ask('pull', answers.pull ?? emptyPage),
      full: ask('full', answers.full ?? emptyWalk),
      status: ask('status', answers.status ?? upToDate),
      capabilities: (context) => {
        asked.push({ name: 'capabilities', context, query: undefined });
        return CAPABILITIES;
      },
    },
    access: {
      authenticate: async (header) => ({ actor_id: 'ann', scope_ids: scopesOf(header) }),
      authorize: () => true,
    },
    live: new FakeLive(),
    limits: {
      max_body_bytes: 8_388_608,
      push_max_changes: 500,
      pull_default_limit: 500,
      pull_max_limit: 1_000,
      full_default_limit: 1_000,
      full_max_limit: 5_000,
    },
    cors: [],
    readiness: async () => ({ ready: true, checks: [] }),
    metrics: {
      text: async () => ({ body: 'sync_push_total 1\n', type: 'text/plain' }),
      token: null,
    },
    server_token: SERVER_TOKEN,
    admission: freshAdmission(),
    requestLog: { finished: (request) => finished.push(request) },
    clock: { now: () => FAKE_NOW_MS, monotonic: () => ticks++, sleep: async () => {} },
    crypto: {
      randomBase36: (length) => 'r'.repeat(length),
      randomHex: (bytes) => '0'.repeat(2 * bytes),
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      hmac: () => '',
    },
    ...options,
  });
  return { app: checked(app), asked, finished };
}

/** Headers of an authenticated JSON request. */
export const JSON_HEADERS = { authorization: 'Bearer s1', 'content-type': 'application/json' };

/** A push body. */
export function pushBody(changes: unknown = []): string {
  return JSON.stringify({ client_id: 'c1', changes });
}

function scopesOf(header: string | undefined): readonly string[] {
  if (header === undefined || !header.startsWith('Bearer ')) {
    throw new SyncError('authentication_failed', { details: { reason: 'token_missing' } });
  }
  return header.slice('Bearer '.length).split(',');
}

const CAPABILITIES: Capabilities = {
  protocol_version: '1',
  schema_version: 1,
  app_name: 'fake',
  server_version: '0.0.0',
  server_time: new Date(FAKE_NOW_MS).toISOString(),
  epoch: 'epoch-1',
  collections: [],
  features: {},
  limits: {},
};

/** Replaces `request` by one that checks what comes back. */
function checked(app: Hono<HttpEnv>): Hono<HttpEnv> {
  const request = app.request.bind(app);
  app.request = async (input, init, ...rest) => {
    const target = input instanceof Request ? input.url : String(input);
    const response = await request(input, init, ...rest);
    const bytes = Buffer.from(await response.clone().arrayBuffer());
    const headers = Object.fromEntries(response.headers);
    const isPacked = headers['content-encoding'] === 'gzip' && bytes.length > 0;
    const text = (isPacked ? gunzipSync(bytes) : bytes).toString();
    assertDescribed({
      method: init?.method ?? 'GET',
      target,
      status: response.status,
      headers,
      text,
    });
    return response;
  };
  return app;
}

async function acceptAll(_: RequestContext, request: PushRequest) {
  const results = request.changes.map((_change, index) => ({ ...ACCEPTED, index }));
  return { body: { results, head: HEAD, bundle_seq: 1 }, head_bundle_seq: 1 };
}

const ACCEPTED: PushResponse['results'][number] = {
  index: 0,
  collection: 'tasks',
  doc_id: 't1',
  mutation_id: null,
  status: 'accepted',
  new_version: HEAD,
  server_version: null,
  resolution: 'applied',
  error: null,
  code: null,
};

async function emptyPage(_: RequestContext, query: PullQuery): Promise<PullAnswer> {
  return {
    kind: 'page',
    changes: [],
    last_seq: query.since,
    has_more: false,
    head: HEAD,
    head_bundle_seq: 1,
  };
}

async function emptyWalk(): Promise<FullAnswer> {
  return { last_seq: HEAD, head: HEAD, head_bundle_seq: 1, cursor: null, chunks: [], count: 0 };
}

/** The status of a scope at `HEAD`, asked without a `since`. */
export async function upToDate(): Promise<ScopeStatus> {
  return {
    needs_sync: null,
    head_version: HEAD,
    head_bundle_seq: 1,
    floor_version: HEAD,
    pending_pull_count: null,
    capped: false,
    pending_bundles: null,
    full_resync_required: false,
    reason: null,
    server_timestamp: new Date(FAKE_NOW_MS).toISOString(),
  };
}
