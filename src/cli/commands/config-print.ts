/** `config print`: every value with the place it came from; secrets are masked. */

import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { printConfig } from '../print-config.ts';

/** Loads and prints. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  await printConfig(invocation.output, await invocation.loadConfig());
  return EXIT.ok;
}
