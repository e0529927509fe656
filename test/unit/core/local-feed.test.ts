/** The feed of a process that alone writes: it costs nothing without a listener, and never throws. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalFeed } from '../../../src/core/ports/local-feed.ts';
import type { OplogRead } from '../../../src/core/ports/records.ts';
import { ToldRows } from '../../support/told-rows.ts';

const ROWS = [{ version: 'v1' }] as unknown as readonly OplogRead[];

test('[FE-1] rows are made only when somebody listens, and once for all', async () => {
  const feed = new LocalFeed();
  let made = 0;
  const make = () => {
    made += 1;
    return ROWS;
  };
  feed.tell('s', make);
  assert.equal(made, 0);
  const listeners = [new ToldRows(), new ToldRows()];
  const opened = [];
  for (const listener of listeners) opened.push(await feed.open(listener));
  feed.tell('s', make);
  assert.equal(made, 1);
  for (const { calls } of listeners) assert.deepEqual(calls, [{ scope_id: 's', rows: ROWS }]);
  for (const one of opened) await one.close();
  feed.tell('s', make);
  assert.equal(made, 1);
});

test('[FE-2] a group without rows is not told', async () => {
  const feed = new LocalFeed();
  const told = new ToldRows();
  await feed.open(told);
  feed.tell('s', () => []);
  assert.deepEqual(told.calls, []);
});

test('[FE-3] a listener that closes another one while it is told is heeded', async () => {
  const feed = new LocalFeed();
  const [first, second] = [new ToldRows(), new ToldRows()];
  await feed.open(first);
  const opened = await feed.open(second);
  first.rows = () => void opened.close();
  feed.tell('s', () => ROWS);
  assert.deepEqual([second.calls, second.ends], [[], []]);
});

test('[FE-3] rows that cannot be made end the listeners and not the commit', async () => {
  const feed = new LocalFeed();
  const told = new ToldRows();
  told.ended = (cause) => {
    told.ends.push(cause);
    throw new Error('and again');
  };
  await feed.open(told);
  const fault = new Error('no rows');
  feed.tell('s', () => {
    throw fault;
  });
  assert.deepEqual(told.ends, [fault]);
  feed.tell('s', () => ROWS);
  assert.deepEqual(told.calls, []);
});

test('[FE-5] the end is told once, and nobody can listen after it', async () => {
  const feed = new LocalFeed();
  const told = new ToldRows();
  await feed.open(told);
  feed.end('The store is closed.');
  feed.end('The store is closed.');
  feed.tell('s', () => ROWS);
  assert.equal(told.ends.length, 1);
  assert.deepEqual(told.calls, []);
  await assert.rejects(feed.open(told), { kind: 'unavailable' });
});
