/** `config schema`: the JSON Schema that editors complete the file with. */

import { configJsonSchema } from '../../config/editor-schema.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Invocation } from '../invocation.ts';

/** Prints the schema. */
export async function run({ output }: Invocation): Promise<ExitCode> {
  await output.data(JSON.stringify(configJsonSchema(), null, 2));
  return EXIT.ok;
}
