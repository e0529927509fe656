/** What the stream is told by its owner, and its times. */

import {
  STREAM_PING_MS,
  STREAM_RECHECK_MS,
  STREAM_SUBSCRIBE_MS,
} from '../../protocol/pure/limits.ts';

/** A connection that ended. */
export interface ClosedStream {
  readonly request_id: string;
  /** Undefined = nobody was authenticated. */
  readonly actor_id: string | undefined;
  /** WebSocket's code; 1006 when the connection broke. */
  readonly close_code: number;
  readonly ms: number;
  /** What was behind an internal error. */
  readonly cause?: unknown;
}

/** Told about connections. Must not throw and must not block. */
export interface StreamLog {
  /** Connections that are open now. */
  open(count: number): void;
  closed(stream: ClosedStream): void;
}

/** Times of the stream, ms. */
export interface StreamTimes {
  readonly subscribe: number;
  readonly ping: number;
  readonly recheck: number;
  /** How often the other times are looked at. */
  readonly sweep: number;
}

/** Settings of the stream. */
export interface StreamOptions {
  /** Whether a token may stand in the address. */
  readonly token_in_query: boolean;
  /** Bytes that may wait for one reader. */
  readonly buffer_bytes: number;
  readonly log: StreamLog;
  /** Other times; for tests of the times themselves. */
  readonly times?: Partial<StreamTimes>;
}

const SWEEP_MS = 1_000;

/** The times that count. */
export function streamTimes({ times }: Pick<StreamOptions, 'times'>): StreamTimes {
  return {
    subscribe: STREAM_SUBSCRIBE_MS,
    ping: STREAM_PING_MS,
    recheck: STREAM_RECHECK_MS,
    sweep: SWEEP_MS,
    ...times,
  };
}
