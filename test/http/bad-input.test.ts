import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ERROR_CATALOGUE, REJECTION_CATALOGUE } from '../../src/protocol/errors.ts';
import { ERROR_CODES, REJECTION_CODES } from '../../src/protocol/pure/error-codes.ts';
import codes from '../bad-input/codes.json' with { type: 'json' };
import { AUTH_INPUTS } from './bad-input/auth-inputs.ts';
import { HTTP_INPUTS } from './bad-input/http-inputs.ts';
import { describeReply, type Outcome } from './bad-input/describe-reply.ts';
import { STREAM_INPUTS } from './bad-input/stream-inputs.ts';
import { type Inputs, resultsOf, type Seeds } from './bad-input/inputs.ts';
import { PUSH_INPUTS } from './bad-input/push-inputs.ts';
import { READ_INPUTS } from './bad-input/read-inputs.ts';
import { call, type Reply } from './support/call.ts';
import { plantSeeds } from './support/seeds.ts';
import { STORE_KINDS } from './support/stores.ts';
import { startWorld, type World } from './support/world.ts';

type Row =
  | readonly Outcome[]
  | { readonly served: false; readonly why: string }
  | { readonly shown_by: string };

const ROWS = Object.entries(codes) as readonly (readonly [string, Row])[];
/** The last one stops the engine. */
const INPUTS: Inputs = {
  ...AUTH_INPUTS,
  ...PUSH_INPUTS,
  ...READ_INPUTS,
  ...STREAM_INPUTS,
  ...HTTP_INPUTS,
};
const LAST = 'H26';
/** Rows of the catalogue by letter, so many of each. */
const CATALOGUE = { A: 28, H: 26, P: 56, L: 16, F: 8, S: 6, W: 26, M: 4 };

/** Codes that no input of the catalogue can produce, with the test that does or the reason. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  resolver_error: 'resolvers of users come later',
  conflict_rejected: 'resolvers of users come later',
};
const MONGO_ONLY = ['unique_violation', 'document_validation'];

function outcomes(): readonly (readonly [row: string, outcome: Outcome])[] {
  const all = ROWS.flatMap(([row, value]) =>
    Array.isArray(value) ? (value as Outcome[]).map((one) => [row, one] as const) : [],
  );
  return [...all.filter(([row]) => row !== LAST), ...all.filter(([row]) => row === LAST)];
}

/** Every refusal has a text for a person, and nothing in an answer tells about the inside. */
function assertSpeaks(reply: Reply): void {
  if (reply.status >= 400 && reply.json !== undefined) {
    const { error, message, detail, retryable, request_id } = reply.json;
    const entry = ERROR_CATALOGUE[error as keyof typeof ERROR_CATALOGUE];
    assert.equal(message, entry.message);
    assert.equal(detail, message);
    assert.equal(retryable, entry.retryable);
    assert.ok(String(request_id).length > 0);
  }
  for (const { status, code, error } of resultsOf(reply)) {
    if (status !== 'rejected') continue;
    assert.equal(error, REJECTION_CATALOGUE[code as keyof typeof REJECTION_CATALOGUE].message);
  }
  assert.doesNotMatch(reply.text, /db\.internal|root:pw|node_modules|\.ts:\d|SQLITE|MongoServer/);
}

function codesOf(reply: Reply): string[] {
  const codes = resultsOf(reply).flatMap(({ code }) => code ?? []);
  return typeof reply.json?.['error'] === 'string' ? [...codes, reply.json['error']] : codes;
}

for (const kind of STORE_KINDS) {
  describe(`[HT-27] the bad-input catalogue on ${kind.name}`, () => {
    let world: World;
    let seeds: Seeds;
    const produced = new Set<string>();
    before(async () => {
      world = await startWorld(kind);
      seeds = await plantSeeds(world);
    });
    after(() => world.close());

    async function check(row: string, name: string, outcome: Outcome): Promise<void> {
      const { inputs: _, only: __, ...wanted } = outcome;
      const input = INPUTS[row]?.[name] ?? assert.fail('no such input');
      const stored = wanted.code === undefined ? undefined : await world.opened.dump();
      const reply = await input(world, seeds);
      assert.deepEqual(describeReply(reply, outcome), wanted, reply.text.slice(0, 500));
      assertSpeaks(reply);
      for (const code of codesOf(reply)) produced.add(code);
      if (stored !== undefined) {
        assert.deepEqual(await world.opened.dump(), stored, 'the store must be unchanged');
      }
      assert.equal((await call(world.port, { path: '/healthz' })).status, 200);
    }

    for (const [row, outcome] of outcomes()) {
      if (outcome.only !== undefined && outcome.only !== kind.name) continue;
      for (const name of outcome.inputs) {
        test(`[HT-27] ${kind.name} ${row}: ${JSON.stringify(name)}`, () =>
          check(row, name, outcome));
      }
    }

    test(`[HT-28] ${kind.name}: every code that can occur was produced`, () => {
      const possible = [...ERROR_CODES, ...REJECTION_CODES].filter(
        (code) =>
          ELSEWHERE[code] === undefined && (kind.name === 'mongo' || !MONGO_ONLY.includes(code)),
      );
      assert.deepEqual(
        possible.filter((code) => !produced.has(code)),
        [],
      );
    });
  });
}

test('[HT-27] the catalogue and its inputs name each other, row by row', () => {
  const listed = ROWS.filter(([, value]) => Array.isArray(value)).map(([row, value]) => [
    row,
    (value as readonly Outcome[]).flatMap(({ inputs }) => inputs).sort(),
  ]);
  const sent = Object.entries(INPUTS).map(([row, inputs]) => [row, Object.keys(inputs).sort()]);
  assert.deepEqual(Object.fromEntries(sent), Object.fromEntries(listed));
});

test('[HT-27] every row of the catalogue is listed, served or with the reason why not', () => {
  const rows = new Set(ROWS.map(([row]) => row));
  const all = Object.entries(CATALOGUE).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  assert.deepEqual(
    all.filter((row) => !rows.has(row)),
    [],
  );
});
