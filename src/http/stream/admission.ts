/** How many connections may be open: in the process, without a known caller, and per caller. */

import { SyncError } from '../../protocol/errors.ts';

/** The caps. */
export interface AdmissionLimits {
  /** Sockets and event streams of this process. */
  readonly max_connections: number;
  readonly max_connections_per_actor: number;
  /** Sockets whose caller is not known yet. */
  readonly max_unauthenticated: number;
  readonly max_events_per_actor: number;
}

/** How a caller is connected. */
export type PlaceKind = 'websocket' | 'events';

/** One open connection. */
export interface Place {
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

/** Counts open connections. Refusals are `rate_limited` with the reason `too_many_connections`. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byActor = { websocket: new Map<string, number>(), events: new Map<string, number>() };
  #open = 0;
  #unauthenticated = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#open;
  }

  /** A place for a caller that is known. Throws `rate_limited`. */
  takePlace(kind: PlaceKind, actor_id: string): Place {
    this.#checkProcess();
    const leave = this.#enter(kind, actor_id);
    this.#open += 1;
    return once(() => {
      this.#open -= 1;
      leave();
    });
  }

  /**
   * A place for a socket whose caller is being asked for. `isKnownSoon`: it brought a token, which is
   * looked at at once, so it does not count among those that may never say who they are. Throws
   * `rate_limited`.
   */
  takeUnnamed(isKnownSoon: boolean): UnnamedPlace {
    this.#checkProcess();
    let leave = isKnownSoon ? (): void => {} : this.#enterUnnamed();
    this.#open += 1;
    return {
      name: (actor_id) => {
        const next = this.#enter('websocket', actor_id);
        leave();
        leave = next;
      },
      ...once(() => {
        this.#open -= 1;
        leave();
      }),
    };
  }

  #enterUnnamed(): () => void {
    if (this.#unauthenticated >= this.#limits.max_unauthenticated) throw tooMany();
    this.#unauthenticated += 1;
    return () => {
      this.#unauthenticated -= 1;
    };
  }

  #checkProcess(): void {
    if (this.#open >= this.#limits.max_connections) throw tooMany();
  }

  /** Counts a caller's connection; gives back how to uncount it. */
  #enter(kind: PlaceKind, actor_id: string): () => void {
    const counts = this.#byActor[kind];
    const { max_connections_per_actor, max_events_per_actor } = this.#limits;
    const max = kind === 'websocket' ? max_connections_per_actor : max_events_per_actor;
    const count = counts.get(actor_id) ?? 0;
    if (count >= max) throw tooMany();
    counts.set(actor_id, count + 1);
    return () => {
      const left = (counts.get(actor_id) ?? 1) - 1;
      if (left === 0) counts.delete(actor_id);
      else counts.set(actor_id, left);
    };
  }
}

/** A place of a socket whose caller is not known yet. */
export interface UnnamedPlace extends Place {
  /** Counts it for this caller from now on. Throws `rate_limited`; the place then stays unnamed. */
  name(actor_id: string): void;
}

function once(release: () => void): Place {
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      release();
    },
  };
}

function tooMany(): SyncError {
  return new SyncError('rate_limited', { details: { reason: 'too_many_connections' } });
}
