/** Whether the caller of an open stream may still read: when its token ends, and by asking again. */

import type { RequestContext } from '../../core/context.ts';
import { SyncError } from '../../protocol/errors.ts';
import type { Exchange } from '../exchange.ts';
import { EVENT_RECHECK_MS } from '../http-limits.ts';
import { checkFollows } from '../middleware/authenticate.ts';
import type { AppOptions } from '../route.ts';

/** Codes that say no; whatever else goes wrong leaves the stream as it is, and is asked again. */
const REFUSALS: readonly string[] = [
  'authentication_failed',
  'scope_missing',
  'scope_forbidden',
  'collection_forbidden',
];

/** Who opened the stream, and what was permitted then. */
export interface WatchedCaller {
  readonly exchange: Exchange;
  readonly context: RequestContext;
  readonly collections: readonly string[];
}

/** Looks at a caller: at once whether its time is over, and now and then whether it is still let in. */
export class CallerWatch {
  readonly #options: AppOptions;
  readonly #caller: WatchedCaller;
  readonly #refuse: (error: SyncError) => void;
  #expires_ms: number;
  #next_check: number;

  constructor(options: AppOptions, caller: WatchedCaller, refuse: (error: SyncError) => void) {
    this.#options = options;
    this.#caller = caller;
    this.#refuse = refuse;
    this.#expires_ms = caller.context.identity.expires_ms ?? Number.POSITIVE_INFINITY;
    this.#next_check = options.clock.monotonic() + EVENT_RECHECK_MS;
  }

  /** Refuses when the proof has ended; asks again when that is due. */
  visit(now: number): void {
    if (this.#options.clock.now() >= this.#expires_ms) {
      const details = { reason: 'token_expired' };
      this.#refuse(new SyncError('authentication_failed', { details }));
    } else if (now >= this.#next_check) {
      // The next one is set when the answer is there, so that a slow one is not asked twice.
      this.#next_check = Number.POSITIVE_INFINITY;
      void this.#ask();
    }
  }

  async #ask(): Promise<void> {
    try {
      await this.#check();
    } catch (error) {
      if (error instanceof SyncError && REFUSALS.includes(error.code)) this.#refuse(error);
    }
    this.#next_check = this.#options.clock.monotonic() + EVENT_RECHECK_MS;
  }

  async #check(): Promise<void> {
    const { access } = this.#options;
    const { exchange, context, collections } = this.#caller;
    const { request } = exchange;
    const authorization = request.headers.get('authorization') ?? undefined;
    const identity = await access.authenticate(authorization, request);
    if (identity.actor_id !== context.identity.actor_id) throw new SyncError('scope_forbidden');
    checkFollows(access, identity, { scope_id: context.scope_id, collections });
    this.#expires_ms = identity.expires_ms ?? Number.POSITIVE_INFINITY;
  }
}
