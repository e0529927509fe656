import type { BuildOptions, Metafile } from 'esbuild';

export const PRODUCT_ENTRIES: Readonly<Record<string, string>>;
export const WORKER_ENTRIES: Readonly<Record<string, string>>;
export function existingEntries(entries: Readonly<Record<string, string>>): Record<string, string>;
export function bundleFlat(
  entries: Readonly<Record<string, string>>,
  outdir: string,
  options?: BuildOptions,
): Promise<Metafile>;
export function outputNames(metafile: Metafile): Set<string>;
export function importTypeScript(file: string): Promise<Record<string, unknown>>;
