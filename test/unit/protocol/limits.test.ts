/** The table of limits is consistent with itself. */

import assert from 'node:assert/strict';
import test from 'node:test';
import * as limits from '../../../src/protocol/pure/limits.ts';

test('[WI-8] no default is above its maximum, and page defaults are within page maxima', () => {
  for (const [name, limit] of Object.entries(limits.LIMITS)) {
    assert.ok(limit.default >= 1 && limit.default <= limit.max, name);
    assert.ok(Number.isSafeInteger(limit.max), name);
    assert.match(limit.unit, /^(changes|bytes|rows|documents|ms)$/, name);
  }
  assert.ok(limits.LIMITS.pull_default_limit.max <= limits.LIMITS.pull_max_limit.max);
  assert.ok(limits.LIMITS.full_default_limit.max <= limits.LIMITS.full_max_limit.max);
});

test('[WI-8] one document fits a push, one push fits a bundle, one group fits the queue', () => {
  const { max_document_bytes, max_body_bytes, push_max_changes } = limits.LIMITS;
  assert.ok(max_document_bytes.max < max_body_bytes.max);
  assert.ok(max_body_bytes.max <= limits.BUNDLE_BYTES_MAX);
  assert.ok(push_max_changes.max <= limits.PULL_SCAN_EXTRA_ROWS, 'a page can hold any bundle');
  assert.ok(limits.GROUP_BYTES_MAX <= limits.QUEUE_BYTES_MAX);
  assert.ok(limits.GROUP_PUSHES_MAX <= limits.QUEUE_PUSHES_MAX);
});
