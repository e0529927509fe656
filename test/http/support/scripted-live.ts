/** Live delivery that a test scripts: it keeps the sinks and writes what it is told. */

import type { RequestContext } from '../../../src/core/context.ts';
import { LiveRow } from '../../../src/core/live/shared-frame.ts';
import type {
  ChangeFrame,
  LiveDelivery,
  LiveRequest,
  LiveSink,
} from '../../../src/core/ports/live.ts';
import type { OplogRead } from '../../../src/core/ports/records.ts';
import { SyncError } from '../../../src/protocol/errors.ts';
import { type Hlc, ZERO_HLC } from '../../../src/protocol/pure/hlc.ts';
import { FAKE_HEAD as HEAD } from './fake-head.ts';

/** One subscription of a client. */
export interface FakeSubscription {
  readonly context: RequestContext;
  readonly request: LiveRequest;
  readonly sink: LiveSink;
  position: Hlc | null;
  resumed: number;
  closed: boolean;
}

/** A delivery and what it was asked for. */
export interface ScriptedLive extends LiveDelivery {
  readonly subscriptions: FakeSubscription[];
  /** The newest one. */
  last(): FakeSubscription;
}

/** Collections are `tasks` and `notes`; every other name is forbidden. A `since` above the head is ahead. */
export function scriptedLive(): ScriptedLive {
  const subscriptions: FakeSubscription[] = [];
  return {
    subscriptions,
    last: () => subscriptions.at(-1) ?? fail('nobody subscribed'),
    list: () => [],
    subscribe(context, request, sink) {
      const collections = request.collections ?? ['tasks', 'notes'];
      if (!collections.every((name) => ['tasks', 'notes'].includes(name))) {
        throw new SyncError('collection_forbidden');
      }
      const one = { context, request, sink, position: null, resumed: 0, closed: false };
      const subscription: FakeSubscription = one;
      subscriptions.push(subscription);
      queueMicrotask(() => {
        if (!subscription.closed) begin(subscription, collections);
      });
      return {
        subscription_id: `sub-${subscriptions.length}`,
        collections,
        get position() {
          return subscription.position;
        },
        resume() {
          subscription.resumed += 1;
        },
        close() {
          subscription.closed = true;
        },
      };
    },
  };
}

function begin(subscription: FakeSubscription, collections: readonly string[]): void {
  const { sink, request } = subscription;
  const since = request.since ?? HEAD;
  sink.subscribed(since, HEAD);
  if (since > HEAD) {
    const body = { full_resync_required: true, reason: 'cursor_ahead' } as const;
    const stale = { ...body, collections: [...collections], head: HEAD, epoch: 'epoch-1' };
    sink.ended({ kind: 'resync', stale });
    return;
  }
  subscription.position = HEAD;
  sink.caughtUp(HEAD);
}

/** A row of `tasks` with this much text. */
export function frame(doc_id: string, characters = 10): ChangeFrame {
  const data = `{"text":"${'x'.repeat(characters)}"}`;
  const line = `{"version":"${HEAD}","parent_version":null,"collection":"tasks","doc_id":"${doc_id}","operation":"upsert","data":${data},"actor_id":"ann","client_id":"c1","mutation_id":"m1","change_version":null,"bundle_seq":1`;
  return new LiveRow({ version: HEAD, collection: 'tasks', line } as OplogRead).frame(true);
}

/** The first version there can be. */
export const FIRST: string = ZERO_HLC;

function fail(message: string): never {
  throw new Error(message);
}
