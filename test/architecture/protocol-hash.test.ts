/** A change of what goes over the wire needs a line of history: the hash of all wire schemas is recorded. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { z } from 'zod';
import { importTypeScript } from '../../scripts/lib/bundle.mjs';
import { listFiles } from '../../scripts/lib/paths.mjs';
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts';
import history from './protocol-history.json' with { type: 'json' };

/** Wire schemas that exist at least; fewer means that they were not found. */
const SCHEMAS_MIN = 10;

/** Every exported schema, every list of codes and every header name, by the name of its export. */
async function wireShapes(): Promise<Map<string, unknown>> {
  const shapes = new Map<string, unknown>();
  for (const file of listFiles('src/protocol', (name) => name.endsWith('.ts'))) {
    for (const [name, value] of Object.entries(await importTypeScript(file))) {
      if (value instanceof z.ZodType) {
        shapes.set(name, z.toJSONSchema(value, { io: 'input', unrepresentable: 'any' }));
      } else if (Array.isArray(value) || name.startsWith('HEADER_')) {
        shapes.set(name, value);
      }
    }
  }
  return shapes;
}

test('[AR-17] the wire is what the last line of its history says', async () => {
  const shapes = await wireShapes();
  const schemas = [...shapes.values()].filter(
    (value) => typeof value === 'object' && !Array.isArray(value),
  );
  assert.ok(schemas.length >= SCHEMAS_MIN, `only ${schemas.length} schemas were found`);
  const text = JSON.stringify([...shapes].sort(([a], [b]) => (a < b ? -1 : 1)));
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const last = history.at(-1);
  assert.deepEqual(
    { hash: last?.hash, protocol: last?.protocol },
    { hash, protocol: Number(PROTOCOL_VERSION) },
    'The wire changed. Add a line to test/architecture/protocol-history.json that says how, and raise ' +
      'PROTOCOL_VERSION in src/protocol/pure/headers.ts unless older clients can ignore the change.',
  );
});

test('[AR-17] the history only grows: versions never fall and every line says what changed', () => {
  history.forEach((line, index) => {
    assert.ok(line.change.length > 10, `line ${index} says nothing`);
    assert.ok(line.protocol >= (history[index - 1]?.protocol ?? 1));
  });
});
