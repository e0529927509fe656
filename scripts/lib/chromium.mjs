/** Where the browser of the console's tests is. */

import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Names under which Chromium is installed. */
export const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];

/** The first of them on the PATH, or undefined. */
export function findChromium() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const places = BROWSERS.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return places.find(isExecutable);
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
