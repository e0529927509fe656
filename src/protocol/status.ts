/** GET /sync/capabilities (E01), and what the operational paths answer. */

import { z } from 'zod';
import { ID_TYPES } from './pure/ids.ts';

/** What this server can do for the caller. */
export const Capabilities = z
  .object({
    protocol_version: z.string().describe('What Sync-Protocol says'),
    schema_version: z.int().describe('Level of the stored layout'),
    app_name: z.string().describe('Name that the operator gave'),
    server_version: z.string().describe('Version of the package'),
    server_time: z.string().describe('ISO 8601, for the client to correct its clock'),
    epoch: z.string().describe('The history that versions and cursors belong to'),
    collections: z
      .array(
        z.object({
          name: z.string().describe('As in a change'),
          id_type: z.enum(ID_TYPES).describe('How ids are stored; on the wire they are strings'),
          conflict: z.string().describe('Resolver: who wins a conflict'),
          on_conflict: z.literal('resolve').describe('Conflicts are resolved, not refused'),
          delete_policy: z.string().describe('What an edit of a deleted document does'),
        }),
      )
      .describe('What the caller may use'),
    features: z.record(z.string(), z.boolean()).describe('What is served, by name'),
    limits: z.record(z.string(), z.number()).describe('Bounds of requests, by name'),
  })
  .meta({ id: 'Capabilities', description: 'What this server can do for the caller' });
export type Capabilities = z.infer<typeof Capabilities>;

/** Whether the server can serve: one entry per check. */
export const Readiness = z
  .object({
    ready: z.boolean().describe('True when every check passed'),
    checks: z
      .array(
        z.object({
          name: z.string().describe('What was checked'),
          ok: z.boolean().describe('True when it passed'),
          detail: z.string().describe('What was found'),
        }),
      )
      .describe('Every check'),
  })
  .meta({ id: 'Readiness', description: 'Whether requests would succeed' });
export type Readiness = z.infer<typeof Readiness>;

/** The process answers. */
export const Health = z
  .object({ status: z.literal('ok').describe('Always') })
  .meta({ id: 'Health', description: 'The process answers' });

/** What `/` answers: the paths there are, by name. */
export const ServerIndex = z
  .object({
    name: z.literal('offline-sync').describe('What this is'),
    protocol_version: z.string().describe('What Sync-Protocol says'),
    links: z.record(z.string(), z.string()).describe('Paths by name'),
  })
  .meta({ id: 'ServerIndex', description: 'The paths there are' });
