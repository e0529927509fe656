/** `config validate`: the file, the environment, and what `serve` asks beyond them. */

import { checkServable } from '../../config/serve-rules.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';

/** Loads and checks; faults are thrown. */
export async function run(invocation: Invocation): Promise<ExitCode> {
  const { output } = invocation;
  const loaded = await invocation.loadConfig();
  checkServable(loaded);
  const source = loaded.file ?? 'no file (defaults of a first run)';
  if (output.json) await output.jsonLine({ valid: true, file: loaded.file });
  else await output.data(`valid: ${source}`);
  return EXIT.ok;
}
