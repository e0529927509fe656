/**
 * The document writes of a group as steps that can be taken back: what each write leaves, and what
 * stood there before. Without a transaction nothing else tells a half-written group's documents apart.
 */

import { createHash } from 'node:crypto';
import { BSON, type Document } from 'mongodb';
import { StoreError } from '../../../core/ports/store.ts';
import { canonicalJson } from '../../../protocol/pure/canonical-json.ts';
import { decodeDocument } from '../bson-reader.ts';
import type { PlannedWrite } from '../plan-writes.ts';
import { ENGINE_FIELDS } from '../stored-documents.ts';

/** What a write does to its document. */
export type WriteKind =
  /** It is new. */
  | 'new'
  /** Its content is another one. */
  | 'replaced'
  /** Some fields are set or taken off; the content stays. */
  | 'changed'
  /** It goes. */
  | 'dropped';

/** How one document write is taken back. */
export interface UndoItem {
  readonly target: string;
  readonly wrote: WriteKind;
  readonly id: unknown;
  /** Fields that tell the written document from what stood there before; null = not there. */
  readonly after: Document;
  /** Update that gives the document its earlier engine fields and leaves its content. */
  readonly back: Document;
  /** The earlier document, to the byte; for what is replaced or dropped. */
  readonly content: Uint8Array | null;
  /** Hash of the written content; for what is new or replaced. */
  readonly content_hash: string | null;
}

/** The writes of the documents of a group, in order, and how to take them back. */
export interface DocumentSteps {
  /** Marks on the documents that will be dropped, so that a dropped one is told from a missing one. */
  readonly marks: readonly PlannedWrite[];
  readonly writes: readonly PlannedWrite[];
  readonly undo: readonly UndoItem[];
}

/** A guard did not hold: the document is not as it was loaded. */
export class DocumentMoved extends Error {}

/** The steps of these writes. `bytes` are the loaded documents by place; `token` names the group. */
export function documentSteps(
  writes: readonly PlannedWrite[],
  bytes: ReadonlyMap<string, Uint8Array>,
  token: string,
): DocumentSteps {
  const steps = writes.map((write) => stepOf(write, bytes.get(write.place ?? ''), token));
  return {
    marks: steps.flatMap(({ mark }) => mark ?? []),
    writes: steps.map(({ write }) => write),
    undo: steps.map(({ undo }) => undo),
  };
}

/** Hash of the user's fields of a stored document. */
export function contentHash(bytes: Uint8Array): string {
  return createHash('sha256')
    .update(canonicalJson(decodeDocument(bytes).data))
    .digest('hex');
}

/** A stored document as the driver writes it back unchanged. */
export function exactDocument(bytes: Uint8Array): Document {
  return BSON.deserialize(bytes, { promoteValues: false, promoteBuffers: false, bsonRegExp: true });
}

/**
 * Matches a document only while every field is as it was. A foreign writer keeps the engine's fields,
 * so version and hash alone would let its work be overwritten [SA-5].
 */
export function exactFilter(bytes: Uint8Array): Document {
  const document = exactDocument(bytes);
  return { _id: document['_id'], $expr: { $in: ['$$ROOT', [{ $literal: document }]] } };
}

interface Step {
  readonly mark?: PlannedWrite;
  readonly write: PlannedWrite;
  readonly undo: UndoItem;
}

function stepOf(write: PlannedWrite, before: Uint8Array | undefined, token: string): Step {
  const { operation } = write;
  if ('insertOne' in operation)
    return { write, undo: undoNew(write, operation.insertOne.document) };
  if (before === undefined) throw new DocumentMoved('a guarded document was not loaded');
  if ('replaceOne' in operation) {
    const { filter, replacement, upsert } = operation.replaceOne;
    const exact = { ...filter, ...exactFilter(before) };
    return {
      write: { ...write, operation: { replaceOne: { filter: exact, replacement, upsert } } },
      undo: undoReplaced(write, replacement, before),
    };
  }
  if ('deleteOne' in operation) return dropStep(write, before, { token, ...operation.deleteOne });
  const { filter, update } = operation.updateOne;
  // A stamp leaves the content, and content that is new shows by its hash; a mark of deletion hides it.
  const hides = Object.hasOwn((update['$set'] ?? {}) as Document, '_sync_deleted');
  const exact = hides ? { ...filter, ...exactFilter(before) } : filter;
  return {
    write: { ...write, operation: { updateOne: { ...operation.updateOne, filter: exact } } },
    undo: undoChanged(write, operation.updateOne, before),
  };
}

function undoNew({ target }: PlannedWrite, document: Document): UndoItem {
  const after = engineFieldsOf(document);
  return {
    ...{ target, wrote: 'new', id: document['_id'], after },
    back: fieldsBack({}, Object.keys(after)),
    content: null,
    content_hash: contentHash(BSON.serialize(document)),
  };
}

function undoReplaced(
  { target }: PlannedWrite,
  replacement: Document,
  before: Uint8Array,
): UndoItem {
  const document = exactDocument(before);
  const after = engineFieldsOf(replacement);
  const fields = new Set([...Object.keys(after), ...ENGINE_FIELDS]);
  return {
    ...{ target, wrote: 'replaced', id: document['_id'], after },
    back: fieldsBack(document, [...fields]),
    content: before,
    content_hash: contentHash(BSON.serialize(replacement)),
  };
}

function undoChanged(
  { target }: PlannedWrite,
  { update }: { readonly update: Document },
  before: Uint8Array,
): UndoItem {
  // Id and engine fields alone are put back: text that is no UTF-8 beside them must not be in the way.
  const document = BSON.deserialize(before, { promoteValues: false, validation: { utf8: false } });
  const set = (update['$set'] ?? {}) as Document;
  const unset = Object.keys((update['$unset'] ?? {}) as Document);
  const after = { ...Object.fromEntries(unset.map((field) => [field, null])), ...set };
  return {
    ...{ target, wrote: 'changed', id: document['_id'], after },
    back: fieldsBack(document, Object.keys(after)),
    content: null,
    content_hash: null,
  };
}

/** Marked first, then dropped by its mark. */
function dropStep(
  write: PlannedWrite,
  before: Uint8Array,
  { token, filter }: { readonly token: string; readonly filter: Document },
): Step {
  const document = exactDocument(before);
  const { _id } = document;
  const after = { _sync_version: token };
  const exact = { ...filter, ...exactFilter(before) };
  return {
    mark: { ...write, operation: { updateOne: { filter: exact, update: { $set: after } } } },
    write: { ...write, operation: { deleteOne: { filter: { _id, ...after } } } },
    undo: {
      ...{ target: write.target, wrote: 'dropped', id: _id, after },
      back: fieldsBack(document, ['_sync_version']),
      content: before,
      content_hash: null,
    },
  };
}

function engineFieldsOf(document: Document): Document {
  return Object.fromEntries(
    Object.entries(document).filter(([field]) => field.startsWith('_sync_')),
  );
}

function fieldsBack(document: Document, fields: readonly string[]): Document {
  const set = fields.filter((field) => Object.hasOwn(document, field));
  const unset = fields.filter((field) => !Object.hasOwn(document, field));
  if (fields.length === 0) throw new StoreError('failed', 'a write without fields of the engine');
  return {
    ...(set.length > 0 && { $set: Object.fromEntries(set.map((one) => [one, document[one]])) }),
    ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((one) => [one, ''])) }),
  };
}
