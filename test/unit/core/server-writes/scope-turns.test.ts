/** Writes of the application take turns by scope in one process. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { ScopeTurns } from '../../../../src/core/server-writes/scope-turns.ts';

test('[LB-17] works of one scope run one after the other, also behind a failed one; scopes do not wait for each other', async () => {
  const turns = new ScopeTurns();
  const order: string[] = [];
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = turns.take('a', async () => {
    order.push('first begins');
    await held;
    order.push('first ends');
    throw new RangeError('first');
  });
  const second = turns.take('a', async () => order.push('second'));
  await turns.take('b', async () => order.push('other scope'));
  assert.deepEqual(order, ['first begins', 'other scope']);
  release();
  await assert.rejects(first, RangeError);
  await second;
  assert.deepEqual(order, ['first begins', 'other scope', 'first ends', 'second']);
});
