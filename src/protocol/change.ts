/** A change that a client pushes, and the result it gets back. */

import { z } from 'zod';
import { FoundIssue } from './error-envelope.ts';
import { REJECTION_CODES } from './pure/error-codes.ts';

/** Any JSON object; Extended JSON wrappers carry the types that JSON lacks. */
export const DocumentData = z
  .record(z.string(), z.unknown())
  .describe('A document: JSON values and the closed Extended JSON list')
  .meta({ id: 'DocumentData' });

/** One requested effect. Everything wrong inside is a rejection of this change, never of the request. */
export const Change = z
  .object({
    collection: z.string().describe('Name of a configured collection'),
    operation: z.enum(['upsert', 'delete']).describe('upsert replaces the whole document'),
    doc_id: z.string().describe('Canonical string of the id'),
    data: DocumentData.nullish().describe('The whole document; dropped on delete'),
    parent_version: z.string().nullish().describe('Version the edit was made on; null on create'),
    mutation_id: z
      .string()
      .nullish()
      .describe('Stable id of this edit: a repeat gets the stored answer'),
    parent_mutation_id: z
      .string()
      .nullish()
      .describe('Earlier mutation of the same client that this edit was made on'),
    change_version: z
      .string()
      .nullish()
      .describe('HLC of the edit on the client, for last-writer-wins'),
  })
  .meta({ id: 'Change', description: 'One requested effect of a push' });
export type Change = z.infer<typeof Change>;

/** Every field name of a change, for near misses. */
export const CHANGE_FIELDS: readonly string[] = Object.keys(Change.shape);

/** The answer to one change, at the same place in `results` as the change in `changes`. */
export const ChangeResult = z
  .object({
    index: z.int().min(0).describe('Place of the change in the request'),
    collection: z.string().nullable().describe('As sent; null when it was no text'),
    doc_id: z.string().nullable().describe('As sent; null when it was no text'),
    mutation_id: z.string().nullable().describe('As sent'),
    status: z
      .enum(['accepted', 'conflict_resolved', 'rejected'])
      .describe('accepted: stored as sent; conflict_resolved: see resolution; rejected: see code'),
    new_version: z
      .string()
      .nullable()
      .describe('Version of the written row; current version for a noop'),
    server_version: z
      .string()
      .nullable()
      .describe('Current version whenever the incoming side was not written'),
    resolution: z
      .enum(['applied', 'incoming', 'current', 'noop'])
      .nullable()
      .describe(
        'applied: no conflict; incoming: won one; current: lost one; noop: nothing to write; null when rejected',
      ),
    error: z.string().nullable().describe('Text when rejected'),
    code: z.enum(REJECTION_CODES).nullable().describe('Machine-readable reason when rejected'),
    data: DocumentData.nullable()
      .optional()
      .describe('Current document when it is not what the client sent; null when deleted'),
    duplicate: z
      .boolean()
      .optional()
      .describe('True when this is the stored answer of an earlier push'),
    details: z
      .object({ issues: z.array(FoundIssue).describe('Every finding') })
      .optional()
      .describe('What was wrong with a rejected change'),
  })
  .meta({ id: 'ChangeResult', description: 'The answer to one change' });
export type ChangeResult = z.infer<typeof ChangeResult>;
