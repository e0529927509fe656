/** Reads the text of a configuration file: YAML 1.2 or JSON, with the place of every key [CF-2]. */

import { basename, extname } from 'node:path';
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { ConfigError } from './config-error.ts';

/** Files above this are no configuration, bytes. */
const FILE_BYTES_MAX = 262_144;
/** Uses of anchors; a bomb multiplies far beyond it. */
const ALIASES_MAX = 100;
/** Key of package.json that may hold the configuration. */
export const PACKAGE_KEY = 'offline-sync';

/** A parsed file. */
export interface ConfigText {
  readonly content: Record<string, unknown>;
  /** `file:line` of the key at a path, or of the nearest part of the path that is there. */
  place(path: readonly PropertyKey[]): string;
}

/** Parses a file. `shown` is its name in messages. Throws `ConfigError`. */
export function parseConfigText(shown: string, text: string): ConfigText {
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    throw fault(shown, `the file is larger than ${FILE_BYTES_MAX / 1_024} KiB`);
  }
  const extension = extname(shown);
  if (/^\.[cm]?[jt]s$/.test(extension)) {
    throw fault(shown, 'configuration is YAML or JSON; nothing is executed', 'sync.config.yaml');
  }
  if (extension === '.json') checkJson(shown, text);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    stringKeys: true,
    prettyErrors: false,
  });
  checkDocument(shown, document, lines);
  const root = basename(shown) === 'package.json' ? [PACKAGE_KEY] : [];
  return {
    content: contentAt(shown, toPlain(shown, document), root),
    place: (path) => `${shown}:${lineOf(document, lines, [...root, ...path])}`,
  };
}

/** True when a package.json holds our key; others are none of our business, whatever they hold. */
export function holdsPackageKey(text: string): boolean {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null && Object.hasOwn(content, PACKAGE_KEY);
  } catch {
    return false;
  }
}

function checkJson(shown: string, text: string): void {
  try {
    JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw fault(shown, `not valid JSON (${detail.replace(/\s+/g, ' ').slice(0, 120)})`);
  }
}

function checkDocument(shown: string, document: Document.Parsed, lines: LineCounter): void {
  // An unknown tag is only a warning of the parser; here it would silently change a value.
  const findings = [...document.errors, ...document.warnings];
  if (findings.length > 0) {
    throw new ConfigError(
      findings.slice(0, 5).map((finding) => ({
        where: `${shown}:${lines.linePos(finding.pos[0]).line}`,
        message: finding.message,
      })),
    );
  }
  if (document.contents === null) {
    throw fault(shown, 'the file is empty', 'collections: [tasks, notes]');
  }
  if (!isMap(document.contents)) {
    throw fault(shown, 'the file must be a mapping of keys', 'collections: [tasks, notes]');
  }
}

function toPlain(shown: string, document: Document.Parsed): Record<string, unknown> {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) as Record<string, unknown>;
  } catch {
    throw fault(shown, 'anchors are used too often');
  }
}

function contentAt(
  shown: string,
  plain: Record<string, unknown>,
  [key]: readonly string[],
): Record<string, unknown> {
  if (key === undefined) return plain;
  const content = plain[key];
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
    return content as Record<string, unknown>;
  }
  throw fault(shown, `the key "${key}" must be a mapping of keys`);
}

function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  let offset = 0;
  let node = document.contents as Node | null;
  for (const part of path) {
    const next = step(node, part);
    if (next === undefined) break;
    offset = next.offset;
    node = next.node;
  }
  return lines.linePos(offset).line;
}

function step(
  node: Node | null,
  part: PropertyKey,
): { offset: number; node: Node | null } | undefined {
  if (isMap(node)) {
    const pair = (node as YAMLMap<Node, Node | null>).items.find(
      (item) => isScalar(item.key) && String(item.key.value) === String(part),
    );
    return pair && { offset: pair.key.range?.[0] ?? 0, node: pair.value };
  }
  if (isSeq(node)) {
    const item = node.items[Number(part)] as Node | undefined;
    return item && { offset: item.range?.[0] ?? 0, node: item };
  }
  return undefined;
}

function fault(where: string, message: string, example?: string): ConfigError {
  return new ConfigError([{ where, message, ...(example === undefined ? {} : { example }) }]);
}
