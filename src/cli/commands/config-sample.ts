/** `config sample`: a commented file with every key. */

import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';
import { readSample } from '../sample-config.ts';

/** Prints the sample. */
export async function run({ output }: Invocation): Promise<ExitCode> {
  await output.data((await readSample()).trimEnd());
  return EXIT.ok;
}
