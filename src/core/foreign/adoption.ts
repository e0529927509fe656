/** What an engine can do about documents that other programs write: one method per use case. */

import type { EngineCore } from '../parts.ts';
import type { MigrationLease, MigrationRecord } from '../ports/foreign.ts';
import { type CaptureOptions, runCapture } from './capture.ts';
import { foreignOf } from './compare.ts';
import { type MigrateOptions, type MigrateStep, migrateCollection } from './migrate.ts';
import { type VerifyReport, verifyAll } from './verify.ts';

/** Adoption and capture over one engine. */
export class Adoption {
  readonly #core: EngineCore;

  constructor(core: EngineCore) {
    this.#core = core;
  }

  /** Estimated number of documents. */
  count(collection: string): Promise<number> {
    return foreignOf(this.#core).count(collection);
  }

  /** The right to adopt; null while another process has it. */
  acquireLease(): Promise<MigrationLease | null> {
    return foreignOf(this.#core).acquireLease();
  }

  /** Adopts a collection step by step; resumable after each. */
  migrate(
    collection: string,
    options: MigrateOptions,
  ): AsyncGenerator<MigrateStep, MigrationRecord> {
    return migrateCollection(this.#core, collection, options);
  }

  /** Checks stamps, hashes and heads. Reads only. */
  verify(
    collections: readonly string[],
    onStep?: (read: number) => Promise<void>,
  ): Promise<VerifyReport> {
    return verifyAll(this.#core, collections, onStep);
  }

  /** Looks for foreign writes until the signal. Never throws. */
  capture(options: CaptureOptions): Promise<void> {
    return runCapture(this.#core, options);
  }
}
