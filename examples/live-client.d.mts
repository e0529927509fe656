/** Types of live mode. */

import type { SyncClient } from './minimal-client.mjs';

/** What live mode is doing. */
export type LiveState = 'connecting' | 'live' | 'polling' | 'waiting' | 'stopped';

/** A way to hear of changes. */
export type LiveTransport = 'websocket' | 'events' | 'poll';

/** The part of a WebSocket that is used. */
export interface LiveSocket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

/** Options of live mode; all have defaults. */
export interface LiveOptions {
  /** The best first; all three unless given. */
  readonly transports?: readonly LiveTransport[];
  /** The global one unless given; without one the next transport is used. */
  readonly WebSocket?: (new (url: string) => LiveSocket) | undefined;
  /** Gives another bearer token when the server refuses the client's. */
  readonly getToken?: () => Promise<string> | string;
  /** Sends own edits when connected and after each `put`; true unless given. */
  readonly autoPush?: boolean;
  /** Mean time between polls; 15 s unless given. */
  readonly pollMs?: number;
  readonly onState?: (state: LiveState) => void;
  /** What the client shows may have changed. */
  readonly onChange?: () => void;
  /** Chance and time, for tests. */
  readonly random?: () => number;
  readonly setTimeout?: (work: () => void, ms: number) => unknown;
  readonly clearTimeout?: (timer: never) => void;
}

/** Live mode of a client. */
export interface Live {
  readonly state: LiveState;
  /** What went wrong last; when it stopped by itself: why. */
  readonly error: { readonly message: string; readonly code?: string } | null;
  /** Tries again now instead of later: the network is back, there is another token. */
  wake(): void;
  /** Ends it for good. */
  stop(): void;
}

/** Keeps the client current until `stop()`. */
export declare function startLive(client: SyncClient, options?: LiveOptions): Live;
