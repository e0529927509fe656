/**
 * Versions of the protocol and of the stored layout, with their history.
 *
 * Protocol 1: push, pull, full resync, capabilities.
 * Schema level 1: sync_meta, sync_scopes, sync_oplog, sync_receipts, sync_conflicts,
 * sync_tombstones, sync_migrations, sync_clients.
 */

export { PROTOCOL_VERSION } from './pure/headers.ts';

/** Level of the stored layout. `serve` refuses a database of another level. */
export const SCHEMA_LEVEL = 1;
