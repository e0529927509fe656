/** Live delivery that a test plays, and rows for it. */

import { SharedFrame } from '../../../src/core/live/shared-frame.ts';
import type { RequestContext } from '../../../src/core/context.ts';
import type {
  LiveDelivery,
  LiveRequest,
  LiveSink,
  LiveSubscriber,
} from '../../../src/core/ports/live.ts';
import type { OplogRead } from '../../../src/core/ports/records.ts';
import { SyncError } from '../../../src/protocol/errors.ts';
import { openPullLine } from '../../../src/protocol/pull.ts';
import type { JsonObject } from '../../../src/protocol/pure/canonical-json.ts';
import { formatHlc, type Hlc } from '../../../src/protocol/pure/hlc.ts';
import { FAKE_NOW_MS } from './hand-clock.ts';

/** A subscription in the hands of a test. */
export interface PlayedSubscription {
  readonly context: RequestContext;
  readonly request: LiveRequest;
  readonly sink: LiveSink;
  resumed: number;
  closed: boolean;
}

/** Keeps every subscription; `hidden` is a collection that is forbidden. */
export class FakeLive implements LiveDelivery {
  readonly all: PlayedSubscription[] = [];
  readonly listed = new Map<string, readonly LiveSubscriber[]>();
  draining = false;

  subscribe(context: RequestContext, request: LiveRequest, sink: LiveSink) {
    if (this.draining) throw new SyncError('service_unavailable');
    if (request.collections?.includes('hidden')) throw new SyncError('collection_forbidden');
    const played: PlayedSubscription = { context, request, sink, resumed: 0, closed: false };
    this.all.push(played);
    return {
      subscription_id: `sub-${this.all.length}`,
      collections: request.collections ?? ['tasks', 'notes'],
      position: null,
      resume: () => {
        played.resumed += 1;
      },
      close: () => {
        played.closed = true;
      },
    };
  }

  list(scope_id: string): readonly LiveSubscriber[] {
    return this.listed.get(scope_id) ?? [];
  }

  /** Subscriptions that were not closed. */
  get open(): number {
    return this.all.filter(({ closed }) => !closed).length;
  }

  /** The newest subscription. */
  get last(): PlayedSubscription {
    return this.all.at(-1) ?? unreachable();
  }
}

function unreachable(): never {
  throw new Error('nobody subscribed');
}

/** Version number `n`. */
export function versionOf(n: number): Hlc {
  return formatHlc({ p: FAKE_NOW_MS + n, c: 0, node: 'a1b2' });
}

/** Row number `n` of its scope, alone in its bundle. */
export function frameOf(n: number, data: JsonObject = { n }): SharedFrame {
  const version = versionOf(n);
  const fields = {
    version,
    parent_version: null,
    collection: 'tasks',
    doc_id: `t${n}`,
    operation: 'upsert' as const,
    data,
    actor_id: 'ann',
    client_id: 'phone',
    mutation_id: null,
    change_version: null,
    bundle_seq: n,
  };
  const row = { ...fields, line: openPullLine(fields) } as unknown as OplogRead;
  return new SharedFrame(row, true);
}
