/** Engine events → at most one log line and the metric updates each, so that both stay in step. */

import type { EngineEvent, Telemetry } from '../core/ports/telemetry.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Where events go. */
export interface TelemetrySinkOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

type EventOf<Name extends EngineEvent['event']> = Extract<EngineEvent, { event: Name }>;
type Handlers = {
  readonly [Name in EngineEvent['event']]: (event: EventOf<Name>, to: TelemetrySinkOptions) => void;
};

/** The sink. Never throws, as the engine demands [OB-3]. */
export function createTelemetrySink(options: TelemetrySinkOptions): Telemetry {
  return {
    emit(event) {
      try {
        (HANDLERS[event.event] as (event: EngineEvent, to: TelemetrySinkOptions) => void)(
          event,
          options,
        );
      } catch (error) {
        options.logger.error('telemetry.failed', 'an event could not be recorded', { err: error });
      }
    },
  };
}

const HANDLERS: Handlers = {
  'push.committed': onPushCommitted,
  'push.failed': onPushFailed,
  'group.committed': onGroupCommitted,
  'scope.written': onScopeWritten,
  'pull.served': onPullServed,
  'resync.required': onResyncRequired,
  'full.page': onFullPage,
  'foreign.adopted': onForeignAdopted,
  'capture.state': onCaptureState,
  'capture.caught_up': onCaughtUp,
  'live.subscribed': onSubscribed,
  'live.ended': onLiveEnded,
  'live.published': onPublished,
  'feed.state': onFeedState,
  'feed.gap': onFeedGap,
  'retention.pruned': onPruned,
  'clock.held_back': onClockHeldBack,
};

/** A refused document needs a person; the rest is ordinary work, or another worker was first. */
function onForeignAdopted(
  event: EventOf<'foreign.adopted'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, cause, ...facts } = event;
  const { collection, verdict, documents } = event;
  metrics.foreignWrites.inc(
    { collection: metrics.collectionLabel(collection), verdict },
    documents,
  );
  if (verdict === 'failed') {
    logger.error(name, 'a document of another program could not be taken over', {
      ...facts,
      err: cause,
    });
  } else if (verdict === 'refused') {
    logger.warn(name, 'documents of other programs could not be taken over', facts);
  } else {
    logger.info(name, 'documents of other programs were taken over', facts);
  }
}

function onCaptureState(
  event: EventOf<'capture.state'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, state, reason, cause } = event;
  if (state === 'failed') {
    metrics.captureFailures.inc();
    logger.error(name, 'capture failed and is taken up again', { reason, err: cause });
  } else if (state === 'comparing') {
    const why = cause === undefined ? { reason } : { reason, err: cause };
    logger.warn(name, 'capture compares whole collections', why);
  } else {
    logger.info(name, 'capture follows the change stream');
  }
}

function onCaughtUp(_event: EventOf<'capture.caught_up'>, { metrics }: TelemetrySinkOptions): void {
  metrics.captureCaughtUp();
}

function onPushCommitted(
  event: EventOf<'push.committed'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, rolled_back, conflicts, ...facts } = event;
  metrics.pushes.inc({ status: rolled_back ? 'failure' : 'success' });
  metrics.pushChanges.inc(event.changes);
  metrics.pushSeconds.observe(event.ms / 1000);
  metrics.results.inc({ status: 'accepted' }, event.accepted);
  metrics.results.inc({ status: 'conflict_resolved' }, event.resolved);
  metrics.results.inc({ status: 'rejected' }, event.rejected);
  metrics.duplicates.inc(event.duplicates);
  for (const conflict of conflicts) {
    metrics.conflicts.inc({ collection: metrics.collectionLabel(conflict.collection) });
  }
  const [first] = conflicts;
  if (first === undefined) {
    logger.debug(name, rolled_back ? 'push rolled back' : 'push answered', facts);
    return;
  }
  const { collection, doc_id, winner } = first;
  logger.info(name, 'push met conflicts', {
    ...facts,
    conflicts: conflicts.length,
    collection,
    doc_id,
    winner,
  });
}

/** Only the line: the answer that follows is counted by the request log, refused ones included. */
function onPushFailed(event: EventOf<'push.failed'>, { logger }: TelemetrySinkOptions): void {
  const { event: name, ...facts } = event;
  logger.debug(name, 'push failed', facts);
}

function onGroupCommitted(
  event: EventOf<'group.committed'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, ...facts } = event;
  metrics.groupPushes.observe(event.pushes);
  metrics.retries.inc(event.attempts - 1);
  metrics.headLead.set(event.head_lead_ms / 1000);
  if (event.head_lead_ms > HEAD_LEAD_ALARM_MS) {
    logger.warn(name, 'the newest version is ahead of the clock', facts);
  } else {
    logger.debug(name, 'group committed', facts);
  }
}

/** A head this far ahead of the clock (ms) means that some clock was wrong. */
const HEAD_LEAD_ALARM_MS = 5_000;

function onScopeWritten(
  event: EventOf<'scope.written'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, ...facts } = event;
  metrics.retries.inc(event.attempts - 1);
  logger.debug(name, 'the application wrote in a scope', facts);
}

function onPullServed(
  event: EventOf<'pull.served'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, ...facts } = event;
  metrics.pulls.inc();
  metrics.pullChanges.inc(event.rows);
  metrics.pullSeconds.observe(event.ms / 1000);
  logger.debug(name, 'pull served', facts);
}

function onResyncRequired(
  event: EventOf<'resync.required'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, endpoint, reason, ...facts } = event;
  metrics.pulls.inc();
  metrics.pullSeconds.observe(event.ms / 1000);
  metrics.resyncs.inc({ endpoint, reason });
  logger.info(name, 'full resync required', { ...facts, endpoint, reason });
}

function onFullPage(event: EventOf<'full.page'>, { logger, metrics }: TelemetrySinkOptions): void {
  const { event: name, ...facts } = event;
  metrics.fullPages.inc();
  metrics.fullSeconds.observe(event.ms / 1000);
  if (event.first) metrics.fullResyncs.inc();
  if (event.first) logger.info(name, 'full resync begun', facts);
  else logger.debug(name, 'full resync continued', facts);
}

function onSubscribed(
  event: EventOf<'live.subscribed'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, ...facts } = event;
  metrics.subscribers.set({ transport: event.transport }, event.open);
  logger.debug(name, 'a client follows its scope', facts);
}

/** A reader that is too slow or a failure needs a look; the rest is how connections end. */
function onLiveEnded(
  event: EventOf<'live.ended'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, cause, ...facts } = event;
  metrics.subscribers.set({ transport: event.transport }, event.open);
  metrics.streamsClosed.inc({ reason: event.reason });
  if (event.reason === 'failed') {
    logger.error(name, 'live delivery to a client failed', { ...facts, err: cause });
  } else if (event.reason === 'slow') {
    logger.warn(name, 'a client read too slowly and was cut off', facts);
  } else {
    logger.debug(name, 'a client follows its scope no longer', facts);
  }
}

function onPublished(event: EventOf<'live.published'>, { metrics }: TelemetrySinkOptions): void {
  metrics.streamLag.observe(Math.max(0, event.lag_ms) / 1000);
  metrics.streamFrames.inc(event.rows * event.subscribers);
}

function onFeedState(
  event: EventOf<'feed.state'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  const { event: name, state, reason, cause } = event;
  metrics.feedFollowing.set(state === 'following' ? 1 : 0);
  const facts = cause === undefined ? { reason } : { reason, err: cause };
  if (state === 'polling') metrics.feedLosses.inc({ reason });
  if (reason === 'opened') logger.debug(name, 'the change feed is followed', facts);
  else if (state === 'following') logger.info(name, 'the change feed is followed again', facts);
  else if (reason === 'none') logger.info(name, 'commits are looked for', facts);
  else if (reason === 'refused') {
    logger.warn(name, 'the database gives no change feed: commits are looked for twice a second', {
      ...facts,
      hint: 'grant the database user the right changeStream (docs/OPERATIONS.md); it is asked for again',
    });
  } else
    logger.warn(name, 'the change feed is gone: commits are looked for until it is back', facts);
}

function onFeedGap(event: EventOf<'feed.gap'>, { logger, metrics }: TelemetrySinkOptions): void {
  const { event: name, ...facts } = event;
  metrics.feedGapRows.inc(event.rows);
  logger.debug(name, 'rows that the feed left out were read', facts);
}

function onPruned(
  event: EventOf<'retention.pruned'>,
  { logger, metrics }: TelemetrySinkOptions,
): void {
  metrics.pruned.inc(event.rows);
  if (event.rows > 0) logger.info(event.event, 'old rows pruned', { rows: event.rows });
}

function onClockHeldBack(
  event: EventOf<'clock.held_back'>,
  { logger }: TelemetrySinkOptions,
): void {
  logger.warn(event.event, 'the clock jumped forward and is held back', { jump_ms: event.jump_ms });
}
