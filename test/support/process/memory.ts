/** Resident memory of another process, as the kernel counts it (Linux). */

import { readFileSync, writeFileSync } from 'node:fs';

const KIB = 1024;

/** Resident memory now, bytes. */
export function residentBytes(pid: number): number {
  return statusField(pid, 'VmRSS');
}

/** Starts a new maximum; `peakBytes` then tells the most that was resident since. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Most that was resident since `forgetPeak`, bytes. */
export function peakBytes(pid: number): number {
  return statusField(pid, 'VmHWM');
}

function statusField(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  if (found === null) throw new Error(`/proc/${pid}/status has no ${name}`);
  return Number(found[1]) * KIB;
}
