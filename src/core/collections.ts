/** Policy per collection, from the configuration. */

import type { IdType } from '../protocol/pure/ids.ts';

/** What happens to an update of a document that was deleted meanwhile. Others arrive later. */
export type DeletePolicy = 'resurrect_on_update';

/** One configured collection. */
export interface CollectionPolicy {
  readonly name: string;
  readonly id_type: IdType;
  readonly resolver: 'lww';
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
