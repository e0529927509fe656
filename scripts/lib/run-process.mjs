/** Child processes with a time limit that leave nothing running. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './paths.mjs';

/** How long members of a group may outlive the command, and how often that is looked at. */
const LEAVE_LIMIT_MS = 1_000;
const LEAVE_POLL_MS = 20;

const running = new Set();

/**
 * Runs a command in its own process group and waits for its end.
 *
 * Resolves with `{code, timedOut, leftovers, output}`: `code` is null after a kill; `leftovers` is true
 * when members of the group outlived the command (they are killed). `capture: true` collects stdout and
 * stderr in `output` instead of passing them on. Never rejects for a failing command.
 */
export function runProcess(command, args, { limitMs, env, cwd = ROOT, capture = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
      detached: true,
    });
    let output = '';
    let timedOut = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, limitMs);
    running.add(child.pid);
    child.once('error', (error) => {
      clearTimeout(timer);
      running.delete(child.pid);
      reject(error);
    });
    const closed = child.stdout === null ? undefined : once(child, 'close');
    child.once('exit', async (code) => {
      clearTimeout(timer);
      const leftovers = !(await isGoneSoon(child.pid));
      killGroup(child.pid);
      running.delete(child.pid);
      await closed;
      resolve({ code, timedOut, leftovers, output });
    });
  });
}

/** Ends every command that still runs; for signal handlers. */
export function killRunning() {
  for (const pid of running) killGroup(pid);
}

/** Helpers that end when their pipe closes (esbuild's service) need a moment. */
async function isGoneSoon(pid) {
  for (let waited = 0; waited < LEAVE_LIMIT_MS; waited += LEAVE_POLL_MS) {
    if (!groupExists(pid)) return true;
    await sleep(LEAVE_POLL_MS);
  }
  return !groupExists(pid);
}

/** True while a member of the group runs. A zombie that its new parent has not collected yet is gone. */
function groupExists(pid) {
  try {
    process.kill(-pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((name) => isRunningIn(pid, name));
}

/** After the command in parentheses `/proc/N/stat` continues with state, parent and group. */
function isRunningIn(group, name) {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    const [state, , member] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(member) === group && state !== 'Z';
  } catch {
    return false;
  }
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}
