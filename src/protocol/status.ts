/** GET /sync/capabilities (E01), and what the operational paths answer. */

import { z } from 'zod';
import { ID_TYPES } from './pure/ids.ts';

/** What this server can do for the caller. */
export const Capabilities = z
  .object({
    protocol_version: z.string(),
    schema_version: z.int(),
    app_name: z.string(),
    server_version: z.string(),
    server_time: z.string().describe('ISO 8601, for the client to correct its clock'),
    epoch: z.string(),
    collections: z.array(
      z.object({
        name: z.string(),
        id_type: z.enum(ID_TYPES),
        conflict: z.string(),
        on_conflict: z.literal('resolve'),
        delete_policy: z.string(),
      }),
    ),
    features: z.record(z.string(), z.boolean()),
    limits: z.record(z.string(), z.number()),
  })
  .meta({ id: 'Capabilities' });
export type Capabilities = z.infer<typeof Capabilities>;

/** Whether the server can serve: one entry per check. */
export const Readiness = z
  .object({
    ready: z.boolean(),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  })
  .meta({ id: 'Readiness' });
export type Readiness = z.infer<typeof Readiness>;

/** The process answers. */
export const Health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

/** What `/` answers: the paths there are, by name. */
export const ServerIndex = z
  .object({
    name: z.literal('offline-sync'),
    protocol_version: z.string(),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'ServerIndex' });
