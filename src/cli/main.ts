/** Entry of the built command line. */

import { runCli } from './run-cli.ts';

const code = await runCli(process.argv.slice(2));
process.exitCode = code;
// What was printed may still be on its way through a pipe; the empty write ends after it.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
