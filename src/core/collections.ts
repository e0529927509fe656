/** Policy per collection, from the configuration. */

import type { IdType } from '../protocol/pure/ids.ts';

/** Who wins a conflict: the later edit, or what the server has. */
export const RESOLVERS = ['lww', 'server_wins'] as const;
export type Resolver = (typeof RESOLVERS)[number];

/** What happens where an update and a deletion did not know each other. */
export const DELETE_POLICIES = ['resurrect_on_update', 'reject_update', 'delete_wins'] as const;
export type DeletePolicy = (typeof DELETE_POLICIES)[number];

/** One configured collection. */
export interface CollectionPolicy {
  readonly name: string;
  readonly id_type: IdType;
  readonly resolver: Resolver;
  readonly delete_policy: DeletePolicy;
  /** Dotted path of the field that names the document's scope; push stamps it when absent. */
  readonly scope_field: readonly string[] | null;
  /** Whether writes of other programs are looked for and logged, also when nobody touches them. */
  readonly capture: boolean;
  /** The one scope that this collection's documents belong to, or null. */
  readonly scope: string | null;
}

/** The configured collections by exact name. */
export type Catalogue = ReadonlyMap<string, CollectionPolicy>;
