/** Places inside the checkout that several scripts share, and the one way to list files. */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout. Scripts work from any current directory. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Absolute path of something inside the checkout. */
export function inRoot(...parts) {
  return path.join(ROOT, ...parts);
}

/** Files under a folder as paths relative to the root with `/`, sorted; nothing when it is absent. */
export function listFiles(folder, accept = () => true) {
  const found = [];
  walk(folder, found);
  return found.filter(accept).sort();
}

function walk(folder, found) {
  let entries;
  try {
    entries = readdirSync(inRoot(folder), { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    const relative = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) walk(relative, found);
    else found.push(relative);
  }
}
