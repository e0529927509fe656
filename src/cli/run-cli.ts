/** Runs one command line from arguments to exit code; the only place that turns errors into codes. */

import { CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { describeFailure, type Failure } from './failure.ts';
import { printable } from './output.ts';
import { createProgram } from './program.ts';

/** Parses, runs and returns the exit code; never throws. */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = createProgram((done) => {
    code = done;
  });
  if (args.length === 0) {
    process.stdout.write(program.helpInformation());
    return EXIT.ok;
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Help and version that were asked for arrive here as well, with exit code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = describeFailure(error);
    report(failure, args.includes('--json'));
    return failure.exit;
  }
}

/** The failure on stderr: its places, then one line of cause and one of fix. */
function report(failure: Failure, json: boolean): void {
  const { code, cause, fix, details } = failure;
  const text = json
    ? JSON.stringify({ error: code, message: cause, fix, ...(details && { details }) })
    : [...(details ?? []), `error: ${cause} (${code})`, `fix: ${fix}`].join('\n');
  process.stderr.write(`${printable(text)}\n`);
}
