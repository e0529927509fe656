/** A server with the stream over a delivery that the test scripts, and a clock that the test moves. */

import type { TestContext } from 'node:test';
import type { ClientOptions } from 'ws';
import type { Access } from '../../../src/core/ports/access.ts';
import { SyncError } from '../../../src/protocol/errors.ts';
import type { FinishedRequest } from '../../../src/http/request-log.ts';
import { type RunningServer, startServer } from '../../../src/http/server.ts';
import type { Admission, AdmissionLimits } from '../../../src/http/stream/admission.ts';
import type { ClosedStream } from '../../../src/http/stream/stream-options.ts';
import { StreamServer } from '../../../src/http/stream/stream-server.ts';
import { nodeSystem } from '../../../src/node-system.ts';
import { freshAdmission } from './admission.ts';
import { fakeApp } from './fake-app.ts';
import { FAKE_NOW_MS } from './hand-clock.ts';
import { type ScriptedLive, scriptedLive } from './scripted-live.ts';
import { StreamClient } from './stream-client.ts';

/** A server of one test. */
export interface StreamWorld {
  readonly port: number;
  readonly server: RunningServer;
  readonly streams: StreamServer;
  readonly live: ScriptedLive;
  readonly admission: Admission;
  readonly finished: FinishedRequest[];
  readonly closed: ClosedStream[];
  readonly open: number[];
  /** Moves both clocks. */
  pass(ms: number): void;
  connect(options?: ConstructorParameters<typeof StreamClient>[1]): StreamClient;
  /** With the token `s1` in the header. */
  connectAs(scopes?: string, options?: ClientOptions): Promise<StreamClient>;
}

/** What a test may choose. */
export interface StreamWorldOptions {
  readonly access?: Partial<Access>;
  readonly limits?: Partial<AdmissionLimits>;
  readonly origins?: readonly string[];
  readonly token_in_query?: boolean;
  readonly buffer_bytes?: number;
}

const SWEEP_MS = 5;

/**
 * A token is `<actor>.<scopes>[.<expires_ms>]`, or scopes alone for `ann`; `bad` is refused. `broken` is an
 * error that nobody expects.
 */
export const TOKENS: Access = {
  async authenticate(authorization) {
    if (authorization === undefined) throw refused('token_missing');
    const token = authorization.replace('Bearer ', '');
    if (token === 'bad' || !authorization.startsWith('Bearer ')) throw refused('token_invalid');
    if (token === 'broken') throw new TypeError('a bug that nobody expects');
    const [actor_id = '', scopes, expires] = token.includes('.')
      ? token.split('.')
      : ['ann', token];
    return {
      actor_id,
      scope_ids: (scopes ?? '').split(','),
      ...(expires === undefined ? {} : { expires_ms: Number(expires) }),
    };
  },
  authorize: () => true,
};

/** Starts it; it ends with the test. */
export async function startStream(
  t: Pick<TestContext, 'after'>,
  options: StreamWorldOptions = {},
): Promise<StreamWorld> {
  let passed = 0;
  const clock = {
    ...nodeSystem.clock,
    now: () => FAKE_NOW_MS + passed,
    monotonic: () => passed,
  };
  const closed: ClosedStream[] = [];
  const open: number[] = [];
  const live = scriptedLive();
  const admission = freshAdmission(options.limits);
  const { app, finished } = fakeApp({}, { live, admission });
  const streams = new StreamServer({
    engine: { epoch: 'epoch-1' },
    access: { ...TOKENS, ...options.access },
    live,
    admission,
    cors: options.origins ?? [],
    requestLog: { finished: (request) => finished.push(request) },
    stream: {
      token_in_query: options.token_in_query ?? false,
      buffer_bytes: options.buffer_bytes ?? 1_048_576,
      log: { open: (count) => open.push(count), closed: (one) => closed.push(one) },
      times: { sweep: SWEEP_MS },
    },
    clock,
    crypto: nodeSystem.crypto,
  });
  const server = await startServer(app, { host: '127.0.0.1', port: 0, drain_ms: 1_000, streams });
  t.after(() => server.close(0));
  const { port } = server;
  return {
    port,
    server,
    streams,
    live,
    admission,
    finished,
    closed,
    open,
    pass(ms) {
      passed += ms;
    },
    connect: (more) => new StreamClient(port, more),
    connectAs: (scopes = 's1', more = {}) =>
      new StreamClient(port, {
        ...more,
        headers: { ...more.headers, authorization: `Bearer ${scopes}` },
      }).opened(),
  };
}

function refused(reason: string): SyncError {
  return new SyncError('authentication_failed', { details: { reason } });
}
