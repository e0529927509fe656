/** Counters, histograms and gauges: one registry per instance, names and label sets closed. */

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the metrics are made of. */
export interface MetricsOptions {
  /** Configured collections: the only values of the label `collection`. */
  readonly collections: readonly string[];
  /** Estimated rows of the oplog; asked at most once per 15 s, and only when somebody looks. */
  countOplog(): Promise<number>;
  readonly clock: { monotonic(): number };
  /** Whether pushes run in transactions. */
  readonly transactions: boolean;
}

/** How long a counted oplog size is shown again, ms. */
export const OPLOG_SIZE_CACHED_MS = 15_000;

/** Every metric with its help text. The first eight names are fixed by existing dashboards [OB-4]. */
export const METRICS = {
  sync_push_total: 'Pushes by outcome; failure = nothing was committed',
  sync_push_changes_total: 'Changes in answered pushes',
  sync_conflict_total: 'Detected conflicts',
  sync_pull_total: 'Answered pulls',
  sync_pull_changes_served: 'Changes delivered by pulls',
  sync_full_resync_total: 'Full resyncs begun (first pages)',
  sync_oplog_size: 'Estimated rows of the oplog',
  sync_websocket_connections: 'Open WebSocket connections',
  sync_push_duration_seconds: 'Time from arrival in the engine to the durable commit',
  sync_pull_duration_seconds: 'Time to read a page of changes',
  sync_full_duration_seconds: 'Time to read a page of a full resync',
  sync_full_pages_total: 'Pages of full resyncs',
  sync_push_results_total: 'Results of changes by status',
  sync_duplicate_mutations_total: 'Changes answered from a stored result',
  sync_transaction_retries_total: 'Repeated attempts of commits',
  sync_group_pushes: 'Pushes committed together',
  sync_head_lead_seconds: 'Lead of the newest version over the clock at the last commit',
  sync_resync_required_total: 'Answers that asked for a full resync',
  sync_foreign_writes_total: 'Documents of other programs by what became of them',
  sync_capture_failures_total: 'Times that capture failed and was taken up again',
  sync_capture_lag_seconds:
    'Time since capture of this process last had nothing left to look at; -1 before that',
  sync_live_subscribers: 'Clients that follow their scope, by transport',
  sync_stream_lag_seconds: 'Time from the version of a bundle to its way to subscribers',
  sync_stream_frames_total: 'Rows of bundles times the subscribers of their scope',
  sync_stream_closed_total: 'Ended subscriptions by reason',
  sync_feed_following: '1 while the change feed is followed, 0 while heads are polled',
  sync_feed_losses_total: 'Times that heads began to be polled, by reason',
  sync_feed_gap_rows_total: 'Rows that the change feed left out and that were read instead',
  sync_oplog_pruned_total: 'Oplog rows deleted by retention',
  sync_transactions_enabled: '1 when pushes run in transactions',
  sync_http_request_duration_seconds: 'Time to answer a request',
} as const;
export type MetricName = keyof typeof METRICS;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const PUSHES = [1, 2, 4, 8, 16, 32, 64];

/** The metrics by purpose, and their text for `/metrics`. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Creates the metrics. Nothing is shared between instances. */
export function createMetrics(options: MetricsOptions) {
  const registry = new Registry();
  const counter = counterIn(registry);
  const seconds = secondsIn(registry);
  const metrics = {
    pushes: counter('sync_push_total', 'status'),
    pushChanges: counter('sync_push_changes_total'),
    conflicts: counter('sync_conflict_total', 'collection'),
    pulls: counter('sync_pull_total'),
    pullChanges: counter('sync_pull_changes_served'),
    fullResyncs: counter('sync_full_resync_total'),
    pushSeconds: seconds('sync_push_duration_seconds'),
    pullSeconds: seconds('sync_pull_duration_seconds'),
    fullSeconds: seconds('sync_full_duration_seconds'),
    fullPages: counter('sync_full_pages_total'),
    results: counter('sync_push_results_total', 'status'),
    duplicates: counter('sync_duplicate_mutations_total'),
    retries: counter('sync_transaction_retries_total'),
    groupPushes: new Histogram({
      ...named('sync_group_pushes', registry),
      buckets: PUSHES,
    }),
    headLead: new Gauge(named('sync_head_lead_seconds', registry)),
    resyncs: counter('sync_resync_required_total', 'endpoint', 'reason'),
    foreignWrites: counter('sync_foreign_writes_total', 'collection', 'verdict'),
    captureFailures: counter('sync_capture_failures_total'),
    captureCaughtUp: registerCaptureLag(registry, options.clock),
    subscribers: new Gauge({
      ...named('sync_live_subscribers', registry),
      labelNames: ['transport'],
    }),
    streamLag: seconds('sync_stream_lag_seconds'),
    streamFrames: counter('sync_stream_frames_total'),
    streamsClosed: counter('sync_stream_closed_total', 'reason'),
    feedFollowing: new Gauge(named('sync_feed_following', registry)),
    feedLosses: counter('sync_feed_losses_total', 'reason'),
    feedGapRows: counter('sync_feed_gap_rows_total'),
    pruned: counter('sync_oplog_pruned_total'),
    websockets: new Gauge(named('sync_websocket_connections', registry)),
    requestSeconds: seconds('sync_http_request_duration_seconds', 'route', 'status'),
    /** The label for a collection, which is never a text that a client made up. */
    collectionLabel: (name: string) => (options.collections.includes(name) ? name : 'other'),
    async text() {
      return { body: await registry.metrics(), type: registry.contentType };
    },
  };
  registerOplogSize(registry, options);
  new Gauge(named('sync_transactions_enabled', registry)).set(options.transactions ? 1 : 0);
  showZeros(metrics, options.collections);
  return metrics;
}

function named<Name extends MetricName>(name: Name, registry: Registry) {
  return { name, help: METRICS[name], registers: [registry] };
}

function counterIn(registry: Registry) {
  return <Label extends string>(name: MetricName, ...labelNames: Label[]) =>
    new Counter<Label>({ ...named(name, registry), labelNames });
}

function secondsIn(registry: Registry) {
  return <Label extends string>(name: MetricName, ...labelNames: Label[]) =>
    new Histogram<Label>({ ...named(name, registry), labelNames, buckets: SECONDS });
}

/** A series that appears with its first event has no increase to alert on. */
function showZeros(
  metrics: { pushes: Counter<'status'>; conflicts: Counter<'collection'> },
  collections: readonly string[],
): void {
  metrics.pushes.inc({ status: 'success' }, 0);
  metrics.pushes.inc({ status: 'failure' }, 0);
  for (const collection of collections) metrics.conflicts.inc({ collection }, 0);
}

/** Returns how to say that nothing is left to look at. */
function registerCaptureLag(registry: Registry, clock: MetricsOptions['clock']): () => void {
  let caught_up_at: number | undefined;
  new Gauge({
    ...named('sync_capture_lag_seconds', registry),
    collect() {
      this.set(caught_up_at === undefined ? -1 : (clock.monotonic() - caught_up_at) / 1000);
    },
  });
  return () => {
    caught_up_at = clock.monotonic();
  };
}

/** A database that does not answer leaves the last known size standing. */
function registerOplogSize(registry: Registry, { countOplog, clock }: MetricsOptions): void {
  let counted_at: number | undefined;
  new Gauge({
    ...named('sync_oplog_size', registry),
    async collect() {
      const now = clock.monotonic();
      if (counted_at !== undefined && now - counted_at < OPLOG_SIZE_CACHED_MS) return;
      counted_at = now;
      const size = await countOplog().catch(() => undefined);
      if (size !== undefined) this.set(size);
    },
  });
}
