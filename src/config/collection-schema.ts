/** The options of one collection, and the list or map of collections. */

import { z } from 'zod';
import { DELETE_POLICIES, RESOLVERS } from '../core/collections.ts';
import { ID_TYPES } from '../protocol/pure/ids.ts';
import { help } from './key-help.ts';

const collectionName = z
  .string()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the purpose
  .regex(/^(?!system\.)(?!sync_)(?!__proto__$)[^$,\u0000-\u001f\u007f]{1,120}$/, {
    error:
      'a collection name: 1 to 120 characters without "$", commas and control characters, not starting with "system." or "sync_"',
  });

/** A path of field names such as `site.region`; the engine's own fields are refused. */
const fieldPath = z.string().regex(/^(?!_)[^.$\s]+(\.(?!_)[^.$\s]+){0,7}$/, {
  error: 'a dotted path of 1 to 8 field names without "$", none starting with "_"',
});

/** Options of one collection. */
export const CollectionOptions = z.strictObject({
  id_type: z
    .enum(ID_TYPES)
    .default('string')
    .meta(
      help({ description: 'How `_id` is stored; on the wire it is a string', example: 'string' }),
    ),
  scope_field: fieldPath.optional().meta(
    help({
      description: 'Field of the document that names its scope; push stamps it when absent',
      example: 'team_id',
    }),
  ),
  scope: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta(help({ description: 'The one scope all documents belong to', example: 'shared' })),
  resolver: z
    .enum(RESOLVERS)
    .default('lww')
    .meta(
      help({
        description:
          'Who wins a conflict. `lww`: the later edit; `server_wins`: what was pushed first',
        example: 'lww',
      }),
    ),
  delete_policy: z
    .enum(DELETE_POLICIES)
    .default('resurrect_on_update')
    .meta(
      help({
        description:
          'An edit meets a deletion that it did not know. `resurrect_on_update`: the resolver decides, as between two edits; `reject_update`: the edit is refused (`update_rejected`); `delete_wins`: the document is deleted, also when the deletion comes second',
        example: 'resurrect_on_update',
      }),
    ),
  tombstones: z
    .enum(['sidecar', 'in_place'])
    .default('sidecar')
    .meta(
      help({
        description:
          'What a delete leaves: `sidecar` removes the document and remembers it in `sync_tombstones`; `in_place` keeps it with `_sync_deleted: true` (MongoDB only)',
        example: 'sidecar',
      }),
    ),
  capture: z
    .enum(['off', 'adopt'])
    .default('off')
    .meta(
      help({
        description:
          'Writes of other programs: `adopt` looks for them and logs them; `off` logs them when a push meets them',
        example: 'adopt',
      }),
    ),
});

/** The collections that sync. */
export const collections = z
  .union([z.array(collectionName).min(1), z.record(collectionName, CollectionOptions)])
  .refine((value) => Object.keys(value).length > 0, { error: 'at least one collection' })
  .optional()
  .meta(
    help({
      description: 'The collections that sync: a list of names, or a map from name to options',
      example: ['tasks', 'notes'],
    }),
  );

/** Options of one collection with their defaults. */
export type ParsedCollection = z.output<typeof CollectionOptions>;
