/** Groups of waiting pushes: limits, order, turns, bounds. */

import assert from 'node:assert/strict';
import test from 'node:test';
import {
  CommitQueue,
  type JobOutcome,
  type QueueJob,
} from '../../../../src/core/push/commit-queue.ts';
import {
  COMMIT_SLOTS_MAX,
  GROUP_BYTES_MAX,
  GROUP_CHANGES_MAX,
  GROUP_PUSHES_MAX,
  QUEUE_BYTES_MAX,
  QUEUE_PUSHES_MAX,
  QUEUE_TOTAL_BYTES_MAX,
} from '../../../../src/protocol/pure/limits.ts';

interface Job extends QueueJob {
  readonly name: string;
}

interface Group {
  readonly scope_id: string;
  readonly names: readonly string[];
  /** Ends the group; every job gets its own name unless told otherwise. */
  finish(outcomes?: readonly JobOutcome<string>[]): Promise<void>;
  fail(error: unknown): Promise<void>;
}

function job(name: string, fields: Partial<Job> = {}): Job {
  return { name, changes: 1, bytes: 10, isGone: () => false, ...fields };
}

/** A queue whose groups stay open until the test ends them. */
function held() {
  const groups: Group[] = [];
  const queue = new CommitQueue<Job, string>((scope_id, jobs) => {
    const { promise, resolve, reject } = withResolvers<readonly JobOutcome<string>[]>();
    groups.push({
      scope_id,
      names: jobs.map(({ name }) => name),
      finish: (outcomes) => {
        resolve(outcomes ?? jobs.map(({ name }) => ({ ok: true, value: name })));
        return settled();
      },
      fail: (error) => {
        reject(error);
        return settled();
      },
    });
    return promise;
  });
  return { queue, groups };
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}

/** Lets everything that is already decided happen. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await Promise.resolve();
}

test('[PU-12] the first push starts at once, the ones behind it gather into the next group', async () => {
  const { queue, groups } = held();
  const answers = ['a', 'b', 'c'].map((name) => queue.enqueue('s', job(name)));
  assert.deepEqual(
    groups.map(({ names }) => names),
    [['a']],
  );
  assert.equal(queue.waiting, 2);
  await groups[0]?.finish();
  assert.deepEqual(groups[1]?.names, ['b', 'c']);
  assert.equal(queue.waiting, 0);
  await groups[1]?.finish();
  assert.deepEqual(await Promise.all(answers), ['a', 'b', 'c']);
  assert.equal(groups.length, 2);
});

test('[PU-12] never two groups of one scope at a time', async () => {
  const { queue, groups } = held();
  void queue.enqueue('s', job('a'));
  void queue.enqueue('s', job('b'));
  void queue.enqueue('t', job('c'));
  assert.deepEqual(
    groups.map(({ scope_id }) => scope_id),
    ['s', 't'],
  );
  await groups[0]?.finish();
  assert.deepEqual(groups[2]?.names, ['b']);
});

/** The groups that form behind a held one. */
async function groupsOf(jobs: readonly Job[]): Promise<readonly (readonly string[])[]> {
  const { queue, groups } = held();
  void queue.enqueue('s', job('first'));
  for (const one of jobs) void queue.enqueue('s', one).catch(() => undefined);
  for (let i = 0; i < groups.length; i += 1) await groups[i]?.finish();
  return groups.slice(1).map(({ names }) => names);
}

test('[PU-12] a group holds at most 64 pushes, in order of arrival (invariant 27)', async () => {
  const names = Array.from({ length: GROUP_PUSHES_MAX + 1 }, (_, i) => `p${i}`);
  const groups = await groupsOf(names.map((name) => job(name)));
  assert.deepEqual(groups, [names.slice(0, -1), names.slice(-1)]);
});

test('[PU-12] a group holds at most 500 changes (invariant 27)', async () => {
  const changes = GROUP_CHANGES_MAX - 1;
  const full = await groupsOf([job('a', { changes }), job('b'), job('c')]);
  assert.deepEqual(full, [['a', 'b'], ['c']]);
});

test('[PU-12] a group holds at most 4 MiB (invariant 27)', async () => {
  const bytes = GROUP_BYTES_MAX - 10;
  assert.deepEqual(await groupsOf([job('a', { bytes }), job('b'), job('c', { bytes: 1 })]), [
    ['a', 'b'],
    ['c'],
  ]);
});

test('[PU-12] a larger push goes alone, and those around it keep their order (invariant 27)', async () => {
  const large = { changes: GROUP_CHANGES_MAX + 1 };
  const heavy = { bytes: GROUP_BYTES_MAX + 1 };
  assert.deepEqual(
    await groupsOf([job('a'), job('b', large), job('c', heavy), job('d'), job('e')]),
    [['a'], ['b'], ['c'], ['d', 'e']],
  );
});

test('[PU-12] a full queue answers 503, by pushes and by bytes (invariant 27)', async () => {
  const { queue, groups } = held();
  const busy = { code: 'service_unavailable', details: { reason: 'queue_full' } };
  void queue.enqueue('s', job('running'));
  for (let i = 0; i < QUEUE_PUSHES_MAX; i += 1) void queue.enqueue('s', job(`p${i}`));
  await assert.rejects(queue.enqueue('s', job('over')), busy);
  assert.equal(queue.waiting, QUEUE_PUSHES_MAX);
  void queue.enqueue('t', job('other scopes are not affected'));
  await groups[0]?.finish();
  void queue.enqueue('s', job('there is room again'));
  assert.equal(queue.waiting, QUEUE_PUSHES_MAX - GROUP_PUSHES_MAX + 1);

  const bytes = held();
  void bytes.queue.enqueue('s', job('running', { bytes: QUEUE_BYTES_MAX }));
  void bytes.queue.enqueue('s', job('a', { bytes: QUEUE_BYTES_MAX - 1 }));
  void bytes.queue.enqueue('s', job('b', { bytes: 1 }));
  await assert.rejects(bytes.queue.enqueue('s', job('c')), busy);
  await bytes.groups[0]?.finish();
  assert.deepEqual(bytes.groups[1]?.names, ['a']);
  void bytes.queue.enqueue('s', job('d'));
  assert.equal(bytes.queue.waiting, 2, 'the bytes of a started push do not wait');
});

test('[PU-12] all scopes together may hold only so much (invariant 27)', async () => {
  const { queue, groups } = held();
  const scopes = QUEUE_TOTAL_BYTES_MAX / QUEUE_BYTES_MAX;
  for (let i = 0; i < scopes; i += 1) {
    void queue.enqueue(`s${i}`, job('running'));
    void queue.enqueue(`s${i}`, job('waits', { bytes: QUEUE_BYTES_MAX }));
  }
  const busy = { code: 'service_unavailable', details: { reason: 'queue_full' } };
  await assert.rejects(queue.enqueue('another', job('over')), busy);
  await groups[0]?.finish();
  void queue.enqueue('another', job('there is room again'));
  assert.deepEqual(groups.at(-1)?.scope_id, 'another');
});

test('[PU-12] callers that are gone are dropped before their group, and leave no bytes behind', async () => {
  const { queue, groups } = held();
  let gone = false;
  const leaving = { isGone: () => gone };
  void queue.enqueue('s', job('first', leaving));
  const left = queue.enqueue('s', job('left', { ...leaving, bytes: QUEUE_BYTES_MAX }));
  const dropped = assert.rejects(left, { code: 'request_timeout' });
  await assert.rejects(queue.enqueue('s', job('stays')), { code: 'service_unavailable' });
  gone = true;
  await groups[0]?.finish();
  await dropped;
  assert.equal(groups.length, 1, 'nothing is left to commit');
  const stays = queue.enqueue('s', job('stays'));
  assert.deepEqual(groups[1]?.names, ['stays']);
  await groups[1]?.finish();
  assert.equal(await stays, 'stays');
});

test('[PU-12] the bytes of a dropped push make room while others commit', async () => {
  const { queue, groups } = held();
  let gone = false;
  void queue.enqueue('s', job('first'));
  const left = { bytes: QUEUE_BYTES_MAX - 20, isGone: () => gone };
  void queue.enqueue('s', job('left', left)).catch(() => undefined);
  void queue.enqueue('s', job('stays'));
  gone = true;
  await groups[0]?.finish();
  assert.deepEqual(groups[1]?.names, ['stays']);
  void queue.enqueue('s', job('a', { bytes: 30 }));
  void queue.enqueue('s', job('b'));
  assert.equal(queue.waiting, 2);
});

test('[PU-12] a caller that leaves while its group commits still gets its answer', async () => {
  const { queue, groups } = held();
  let gone = false;
  const answer = queue.enqueue('s', job('a', { isGone: () => gone }));
  gone = true;
  await groups[0]?.finish();
  assert.equal(await answer, 'a');
});

test('[PU-12] scopes take turns for the commit slots', async () => {
  const { queue, groups } = held();
  const scopes = Array.from({ length: COMMIT_SLOTS_MAX + 2 }, (_, i) => `s${i}`);
  for (const scope of scopes) void queue.enqueue(scope, job(`${scope}-1`));
  void queue.enqueue('s0', job('s0-2'));
  assert.equal(groups.length, COMMIT_SLOTS_MAX);
  await groups[0]?.finish();
  assert.equal(groups.at(-1)?.scope_id, 's16', 'who waited longest comes first');
  await groups[1]?.finish();
  assert.equal(groups.at(-1)?.scope_id, 's17');
  await groups[2]?.finish();
  assert.deepEqual(groups.at(-1)?.names, ['s0-2'], 'then the scope with more to do');
});

test('[PU-13] each push of a group gets its own outcome', async () => {
  const { queue, groups } = held();
  void queue.enqueue('s', job('first'));
  const good = queue.enqueue('s', job('good'));
  const bad = queue.enqueue('s', job('bad'));
  const lost = queue.enqueue('s', job('lost'));
  const fault = new Error('this one only');
  const rejections = [assert.rejects(bad, fault), assert.rejects(lost, /without an outcome/)];
  await groups[0]?.finish();
  await groups[1]?.finish([
    { ok: true, value: 'good' },
    { ok: false, error: fault },
  ]);
  assert.equal(await good, 'good');
  await Promise.all(rejections);
});

test('[PU-13] a runner that throws fails its group, not the queue', async () => {
  const { queue, groups } = held();
  const first = assert.rejects(queue.enqueue('s', job('a')), /broken/);
  const second = queue.enqueue('s', job('b'));
  await groups[0]?.fail(new Error('broken'));
  await first;
  await groups[1]?.finish();
  assert.equal(await second, 'b');
  const third = queue.enqueue('s', job('c'));
  await groups[2]?.finish();
  assert.equal(await third, 'c');
});
