/** What MongoDB servers of the tests wrote when they stood still, shortened for the report of a run. */

import { readFileSync, readdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

const FRAMES_KEPT = 6;
const STACKS_KEPT = 8;

/** A text per server that stood still: the stacks of its threads, the rare ones first. */
export function stallReports(folder) {
  return filesOf(folder)
    .map((name) => ({ name, text: readFileSync(path.join(folder, name), 'utf8') }))
    .filter(({ text }) => text.length > 0)
    .map(
      ({ name, text }) => `the MongoDB of ${path.parse(name).name} stood still:\n${shorten(text)}`,
    );
}

/** True when the server of a test, named like its bundle, stood still. */
export function stoodStill(folder, name) {
  return (statSync(path.join(folder, `${name}.txt`), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** Puts aside what a server said, so that a second run of the test does not write over it. */
export function keepStall(folder, name) {
  renameSync(path.join(folder, `${name}.txt`), path.join(folder, `${name} (first run).txt`));
}

function filesOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Threads that do the same are counted; one that differs holds what the others wait for. */
function shorten(text) {
  const counts = new Map();
  for (const thread of text.split(/\n(?=(?:Current thread|Thread) 0x)/)) {
    const frames = [...thread.matchAll(/File "[^"]*?([^"/]+)", line (\d+) in (\S+)/g)];
    const stack = frames
      .slice(0, FRAMES_KEPT)
      .map(([, file, line, name]) => `${file}:${line} ${name}`);
    const key = stack.join(' < ');
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => a[1] - b[1])
    .slice(0, STACKS_KEPT)
    .map(([stack, count]) => `    ${count} × ${stack}`)
    .join('\n');
}
