/** Golden vectors: every entry of `vectors/*.json`, valid and invalid. Other implementations may use them too. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import {
  canonicalJson,
  type Json,
  type JsonObject,
} from '../../src/protocol/pure/canonical-json.ts';
import { checkDocument, isDocumentFault } from '../../src/protocol/pure/extended-json.ts';
import { bundleHash, type HashedRow } from '../../src/protocol/pure/hash.ts';
import { compareHlc, formatHlc, type Hlc, isHlc, parseHlc } from '../../src/protocol/pure/hlc.ts';
import {
  canonicalDocId,
  type IdType,
  isClientId,
  isIdentityText,
  isMutationId,
} from '../../src/protocol/pure/ids.ts';
import jsonVectors from './vectors/canonical-json.json' with { type: 'json' };
import documents from './vectors/documents.json' with { type: 'json' };
import hlcs from './vectors/hlc.json' with { type: 'json' };
import ids from './vectors/ids.json' with { type: 'json' };

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function numberFromBits(hex: string): number {
  return Buffer.from(hex, 'hex').readDoubleBE();
}

test('[HL-1] vectors: valid HLCs parse into their parts and format back', () => {
  for (const { text, p, c, node } of hlcs.valid) {
    assert.deepEqual(parseHlc(text), { p, c, node }, text);
    assert.equal(formatHlc({ p, c, node }), text);
  }
});

test('[HL-1] vectors: everything else is refused and nothing throws', () => {
  for (const { text, why } of hlcs.invalid) {
    assert.doesNotThrow(() => parseHlc(text), `${JSON.stringify(text)}: ${why}`);
    assert.equal(parseHlc(text), undefined, `${JSON.stringify(text)}: ${why}`);
    assert.equal(isHlc(text), false);
  }
});

test('[HL-2] vectors: the listed order is the order of compareHlc and of code units', () => {
  const ordered = hlcs.ordered as Hlc[];
  for (const [i, left] of ordered.entries()) {
    for (const [j, right] of ordered.entries()) {
      assert.equal(Math.sign(compareHlc(left, right)), Math.sign(i - j), `${left} ${right}`);
      assert.equal(left < right, i < j);
    }
  }
});

for (const [type, vectors] of Object.entries(ids.doc_id)) {
  test(`[ID-2] vectors: document ids of type ${type} take their canonical form or are refused`, () => {
    for (const [sent, canonical] of vectors.canonical) {
      assert.equal(canonicalDocId(sent, type as IdType), canonical, JSON.stringify(sent));
    }
    for (const sent of vectors.refused) {
      assert.equal(canonicalDocId(sent, type as IdType), undefined, JSON.stringify(sent));
    }
  });
}

test('[ID-3] vectors: client, mutation and identity names', () => {
  for (const check of [isClientId, isMutationId, isIdentityText]) {
    for (const text of ids.names.accepted) assert.equal(check(text), true, JSON.stringify(text));
    for (const text of ids.names.refused) assert.equal(check(text), false, JSON.stringify(text));
  }
});

for (const { json, canonical, bytes, typed } of documents.valid as ValidDocument[]) {
  test(`[EJ-1] vectors: ${json} is accepted in its canonical form`, () => {
    const checked = checkDocument(JSON.parse(json));
    assert.ok(!isDocumentFault(checked), JSON.stringify(checked));
    assert.equal(canonicalJson(checked.data), canonical);
    assert.equal(checked.bytes, bytes, 'bytes');
    assert.equal(checked.typed && canonicalJson(checked.typed), typed ?? null);
  });
}

interface ValidDocument {
  readonly json: string;
  readonly canonical: string;
  readonly bytes: number;
  readonly typed?: string;
}

for (const { json, path, code } of documents.invalid) {
  test(`[EJ-1] vectors: ${json} is refused with ${code}`, () => {
    const fault = checkDocument(JSON.parse(json));
    assert.ok(isDocumentFault(fault), JSON.stringify(fault));
    assert.deepEqual([fault.path, fault.code], [path, code]);
    assert.match(fault.message, /\w/);
  });
}

test('[CJ-2] vectors: numbers print as ECMAScript prints them', () => {
  for (const [hex, text] of jsonVectors.numbers as [string, string][]) {
    assert.equal(canonicalJson(numberFromBits(hex)), text, hex);
  }
  for (const hex of jsonVectors.refused_numbers) {
    assert.throws(() => canonicalJson(numberFromBits(hex)), RangeError, hex);
  }
});

test('[CJ-1] vectors: keys in code-unit order, strings with the least escapes, no white space', () => {
  for (const { json, canonical } of jsonVectors.texts) {
    assert.equal(canonicalJson(JSON.parse(json) as Json), canonical, json);
  }
});

test('[CJ-4] vectors: the hash of a bundle, which an encoder that escapes HTML must miss', () => {
  const { rows, bytes, sha256: expected } = jsonVectors.bundle;
  const hashed = rows as unknown as (HashedRow & JsonObject)[];
  const text = canonicalJson(hashed);
  assert.equal(Buffer.byteLength(text), bytes);
  assert.equal(bundleHash(sha256, hashed), expected);
  const escaped = text.replace(
    /[<>&]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const other = sha256(escaped);
  assert.equal(other.slice(0, 8), jsonVectors.bundle.sha256_of_an_encoder_that_escapes_html_begins);
  assert.notEqual(other, expected);
});
