/** Child processes with a time limit that leave nothing running. */

import { spawn } from 'node:child_process';
import { ROOT } from './paths.mjs';

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
    child.once('exit', (code) => {
      clearTimeout(timer);
      running.delete(child.pid);
      const leftovers = killGroup(child.pid);
      if (child.stdout === null) resolve({ code, timedOut, leftovers, output });
      else child.once('close', () => resolve({ code, timedOut, leftovers, output }));
    });
  });
}

/** Ends every command that still runs; for signal handlers. */
export function killRunning() {
  for (const pid of running) killGroup(pid);
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
