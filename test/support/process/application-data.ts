/** The documents of a busy application: what it starts with, and how its program and its test name them. */

import { Decimal128, type Document, Double, Int32, Long } from 'mongodb';

/** Collections that it writes. */
export const OWN_COLLECTIONS = ['tasks', 'notes'] as const;
/** Documents of its own that it starts with. */
export const OWN_PER_COLLECTION = 300;
/** Documents that devices write as well, per collection. */
export const SHARED = 16;
/** The values of the scope field. */
export const TEAMS: readonly string[] = Array.from({ length: 8 }, (_, i) => `team-${i}`);

/** What it says at its end: counts, and its documents as BSON in hexadecimal text by place. */
export interface ApplicationReport {
  readonly operations: Readonly<Record<string, number>>;
  readonly documents: readonly (readonly [string, string])[];
}

/** The team of a document at its start. */
export function teamOf(i: number): string {
  return TEAMS[i % TEAMS.length] as string;
}

/** An own document as it is written first, with types that a careless writer would change. */
export function ownDocument(i: number): Document {
  return {
    _id: `own-${String(i).padStart(6, '0')}`,
    team: teamOf(i),
    n: 0,
    whole: new Double(3),
    long: Long.fromNumber(5),
    price: Decimal128.fromString('19.90'),
    at: new Date(1_700_000_000_000 + i),
    nested: { first: new Int32(1), deep: 'v0' },
    list: [1, { two: [null, 2.5] }],
  };
}

/** A document that devices edit as well. */
export function sharedDocument(i: number): Document {
  return { _id: `shared-${i}`, team: teamOf(i), n: 0, by: 'nobody' };
}
