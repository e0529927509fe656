import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenCache } from '../../src/auth/token-cache.ts';

test('[AU-10] the cache holds so many tokens and forgets what was not used for longest', () => {
  const cache = new TokenCache<number>(2);
  cache.set('a', 1);
  cache.set('b', 2);
  assert.equal(cache.get('a'), 1);
  cache.set('c', 3);
  assert.equal(cache.get('b'), undefined);
  assert.deepEqual([cache.get('a'), cache.get('c'), cache.size], [1, 3, 2]);
});
