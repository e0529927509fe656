/** Taking everything of the engine out of a store again: what `init --remove` asks of an adapter. */

/** One line of a removal's plan. `keep` says what stays although it looks like ours. */
export interface RemovalStep {
  readonly action: 'remove' | 'rename' | 'keep';
  readonly kind: 'fields' | 'index' | 'collection' | 'file';
  readonly name: string;
  readonly detail: string;
}

/** How far a removal is, in documents that lost the engine's fields. */
export interface RemovalProgress {
  readonly done: number;
  readonly total: number;
}

/** The removal of one store. It may end at any point and is finished by the next one. */
export interface StoreRemoval {
  /** Reads only. Empty when nothing of ours is there. */
  plan(): Promise<readonly RemovalStep[]>;
  /**
   * Marks the store first, so that nobody serves it meanwhile, and takes the mark away with the rest.
   * Throws `StoreError` of kind `locked` while another process works with the store.
   */
  apply(onProgress: (progress: RemovalProgress) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}
