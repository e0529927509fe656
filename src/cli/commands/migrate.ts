/** `migrate`: named here so that scripts and habits find it; it arrives with the next version. */

import { CommandError } from '../failure.ts';
import { EXIT } from '../exit-codes.ts';

/** Says that adopting existing documents is not served yet. */
export async function run(): Promise<never> {
  throw new CommandError({
    exit: EXIT.usage,
    code: 'not_available',
    cause: 'migrate arrives with the next version',
    fix: 'until then, let documents enter by push; documents that exist already stay invisible',
  });
}
