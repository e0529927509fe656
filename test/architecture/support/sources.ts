/** Source files of the checkout as the architecture tests read them. */

import { readFileSync } from 'node:fs';
import { inRoot, listFiles } from '../../../scripts/lib/paths.mjs';

/** A text file and its path relative to the root. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** Files of some folders whose name ends with one of the endings. */
export function sources(folders: readonly string[], endings: readonly string[]): Source[] {
  return folders
    .flatMap((folder) => listFiles(folder, (file) => endings.some((end) => file.endsWith(end))))
    .map(source);
}

/** One file. Throws when it does not exist. */
export function source(file: string): Source {
  return { file, text: readFileSync(inRoot(file), 'utf8') };
}

/** `file:line text` for every line that matches. */
export function linesMatching(files: readonly Source[], pattern: RegExp): string[] {
  return files.flatMap(({ file, text }) =>
    text
      .split('\n')
      .map((line, index) => ({ line, number: index + 1 }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, number }) => `${file}:${number} ${line.trim().slice(0, 120)}`),
  );
}
