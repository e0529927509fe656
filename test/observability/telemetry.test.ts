import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createMetrics,
  METRICS,
  type Metrics,
  OPLOG_SIZE_CACHED_MS,
} from '../../src/observability/metrics.ts';
import { createRequestLog } from '../../src/observability/request-log.ts';
import { createTelemetrySink } from '../../src/observability/telemetry-sink.ts';
import { EVENTS } from './events.ts';
import { collectLogs } from './log-collector.ts';

function metricsWith(options: Partial<Parameters<typeof createMetrics>[0]> = {}): Metrics {
  return createMetrics({
    collections: ['tasks', 'notes'],
    countOplog: async () => 42,
    clock: { monotonic: () => 0 },
    transactions: true,
    ...options,
  });
}

async function samples(metrics: Metrics): Promise<Record<string, number>> {
  const { body } = await metrics.text();
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

async function sink() {
  const logs = await collectLogs();
  const metrics = metricsWith();
  return { logs, metrics, telemetry: createTelemetrySink({ logger: logs.logger, metrics }) };
}

describe('[OB-3] an event is at most one line and its metrics', () => {
  const expected = {
    push: ['debug', 'push.committed', 'push answered'],
    conflict: ['info', 'push.committed', 'push met conflicts'],
    rolledBack: ['debug', 'push.committed', 'push rolled back'],
    pushFailed: ['debug', 'push.failed', 'push failed'],
    group: ['debug', 'group.committed', 'group committed'],
    written: ['debug', 'scope.written', 'the application wrote in a scope'],
    groupAhead: ['warn', 'group.committed', 'the newest version is ahead of the clock'],
    pull: ['debug', 'pull.served', 'pull served'],
    resync: ['info', 'resync.required', 'full resync required'],
    fullFirst: ['info', 'full.page', 'full resync begun'],
    fullNext: ['debug', 'full.page', 'full resync continued'],
    foreign: ['info', 'foreign.adopted', 'documents of other programs were taken over'],
    foreignFailed: [
      'error',
      'foreign.adopted',
      'a document of another program could not be taken over',
    ],
    following: ['info', 'capture.state', 'capture follows the change stream'],
    comparing: ['warn', 'capture.state', 'capture compares whole collections'],
    captureFailed: ['error', 'capture.state', 'capture failed and is taken up again'],
    feedRefused: [
      'warn',
      'feed.state',
      'the database gives no change feed: commits are looked for twice a second',
    ],
    feedLost: [
      'warn',
      'feed.state',
      'the change feed is gone: commits are looked for until it is back',
    ],
    feedBack: ['info', 'feed.state', 'the change feed is followed again'],
    caughtUp: undefined,
    pruned: ['info', 'retention.pruned', 'old rows pruned'],
    prunedNothing: undefined,
    clock: ['warn', 'clock.held_back', 'the clock jumped forward and is held back'],
  } as const satisfies Record<keyof typeof EVENTS, readonly string[] | undefined>;
  for (const [name, event] of Object.entries(EVENTS)) {
    test(`[OB-3] ${name}`, async () => {
      const { logs, telemetry } = await sink();
      telemetry.emit(event);
      const wanted = expected[name as keyof typeof EVENTS];
      const lines = logs.lines.map((line) => [line['level'], line['event'], line['msg']]);
      assert.deepEqual(lines, wanted === undefined ? [] : [wanted]);
    });
  }
  test('[OB-3] a sink that cannot record an event says so and never throws', async () => {
    const logs = await collectLogs();
    const broken = { pulls: { inc: () => assert.fail('broken') } } as unknown as Metrics;
    createTelemetrySink({ logger: logs.logger, metrics: broken }).emit(EVENTS.pull);
    assert.deepEqual(
      logs.lines.map((line) => [line['level'], line['event']]),
      [['error', 'telemetry.failed']],
    );
  });
});

describe('[OB-4] metrics', () => {
  test('[OB-4] every event drives its metrics, once', async () => {
    const { metrics, telemetry } = await sink();
    for (const event of Object.values(EVENTS)) telemetry.emit(event);
    const seen = await samples(metrics);
    const expected = {
      'sync_push_total{status="success"}': 2,
      'sync_push_total{status="failure"}': 1,
      sync_push_changes_total: 12,
      'sync_conflict_total{collection="tasks"}': 1,
      'sync_conflict_total{collection="notes"}': 0,
      'sync_conflict_total{collection="other"}': 1,
      sync_pull_total: 2,
      sync_pull_changes_served: 11,
      sync_full_resync_total: 1,
      sync_full_pages_total: 2,
      sync_oplog_size: 42,
      sync_websocket_connections: 0,
      'sync_push_results_total{status="accepted"}': 4,
      'sync_push_results_total{status="conflict_resolved"}': 2,
      'sync_push_results_total{status="rejected"}': 6,
      sync_duplicate_mutations_total: 3,
      sync_transaction_retries_total: 3,
      sync_group_pushes_count: 2,
      sync_group_pushes_sum: 6,
      sync_head_lead_seconds: 60,
      'sync_resync_required_total{endpoint="pull",reason="history_pruned"}': 1,
      'sync_foreign_writes_total{collection="tasks",verdict="upserted"}': 3,
      'sync_foreign_writes_total{collection="tasks",verdict="failed"}': 1,
      sync_capture_failures_total: 1,
      sync_capture_lag_seconds: 0,
      sync_oplog_pruned_total: 500,
      sync_transactions_enabled: 1,
      sync_push_duration_seconds_count: 3,
      sync_pull_duration_seconds_count: 2,
      sync_full_duration_seconds_count: 2,
    };
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(seen[name], value, name);
    }
  });
  test('[OB-4] the eight fixed names are there from the start, with their types', async () => {
    const { body, type } = await metricsWith().text();
    const fixed = {
      sync_push_total: 'counter',
      sync_push_changes_total: 'counter',
      sync_conflict_total: 'counter',
      sync_pull_total: 'counter',
      sync_pull_changes_served: 'counter',
      sync_full_resync_total: 'counter',
      sync_oplog_size: 'gauge',
      sync_websocket_connections: 'gauge',
    };
    for (const [name, kind] of Object.entries(fixed)) {
      assert.ok(body.includes(`# TYPE ${name} ${kind}\n`), name);
    }
    assert.match(type, /^text\/plain/);
  });
  test('[OB-4] the registered names are the documented ones', async () => {
    const { body } = await metricsWith().text();
    const names = [...body.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, help]);
    assert.deepEqual(Object.fromEntries(names), METRICS);
  });
  test('[OB-4] the oplog is counted at most once per 15 s, and a failure keeps the last size', async () => {
    const clock = { time: 0, monotonic: () => clock.time };
    const sizes = [Promise.resolve(7), Promise.reject(new Error('down')), Promise.resolve(9)];
    let asked = 0;
    const metrics = metricsWith({
      clock,
      countOplog: () => sizes[asked++] ?? assert.fail('asked too often'),
    });
    const sizeAt = async (time: number) => {
      clock.time = time;
      return (await samples(metrics))['sync_oplog_size'];
    };
    assert.equal(await sizeAt(0), 7);
    assert.equal(await sizeAt(OPLOG_SIZE_CACHED_MS - 1), 7);
    assert.equal(await sizeAt(OPLOG_SIZE_CACHED_MS), 7);
    assert.equal(await sizeAt(2 * OPLOG_SIZE_CACHED_MS), 9);
    assert.equal(asked, 3);
  });
  test('[OB-4] two instances share nothing', async () => {
    const [one, other] = [metricsWith(), metricsWith({ transactions: false })];
    one.pulls.inc();
    assert.equal((await samples(other))['sync_pull_total'], 0);
    assert.equal((await samples(other))['sync_transactions_enabled'], 0);
  });
});

describe('[OB-5] the request log', () => {
  const request = { request_id: 'r1', method: 'POST', route: '/sync/push', status: 200, ms: 5 };
  const levels = [
    [200, 'debug'],
    [401, 'info'],
    [422, 'info'],
    [500, 'error'],
    [503, 'warn'],
  ] as const;
  for (const [status, level] of levels) {
    test(`[OB-5] ${status} is one ${level} line`, async () => {
      const logs = await collectLogs();
      const log = createRequestLog({ logger: logs.logger, metrics: metricsWith() });
      log.finished({ ...request, status });
      const lines = logs.lines.map(({ level: seen, event, status: code }) => [seen, event, code]);
      assert.deepEqual(lines, [[level, 'http.request', status]]);
    });
  }
  test('[OB-5] a server fault is logged with its cause, a refusal without', async () => {
    const logs = await collectLogs();
    const log = createRequestLog({ logger: logs.logger, metrics: metricsWith() });
    log.finished({ ...request, status: 500, code: 'internal', cause: new Error('boom') });
    log.finished({ ...request, status: 400, code: 'invalid_request', cause: new Error('theirs') });
    const [fault, refusal] = logs.lines.map((line) => line['err'] as Error | undefined);
    assert.equal(fault?.message, 'boom');
    assert.equal(refusal, undefined);
  });
  test('[OB-5] every refused push counts as failed; other requests and methods do not', async () => {
    const metrics = metricsWith();
    const logs = await collectLogs('silent');
    const log = createRequestLog({ logger: logs.logger, metrics });
    log.finished({ ...request, status: 401 });
    log.finished({ ...request, status: 503 });
    log.finished({ ...request, status: 200 });
    log.finished({ ...request, method: 'GET', status: 405 });
    log.finished({ ...request, route: '/sync/pull', method: 'GET', status: 422 });
    const seen = await samples(metrics);
    assert.equal(seen['sync_push_total{status="failure"}'], 2);
    assert.equal(
      seen['sync_http_request_duration_seconds_count{route="/sync/push",status="401"}'],
      1,
    );
  });
});
