/** `serve`: load, compose, listen, wait for a signal, drain. */

import { checkProduct, type RunningProduct, startProduct } from '../../compose.ts';
import { withSecret } from '../../config/dev-secret.ts';
import type { LoadedConfig } from '../../config/load-config.ts';
import { checkServable } from '../../config/serve-rules.ts';
import { printBanner } from '../banner.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import type { Invocation } from '../invocation.ts';
import { printConfig } from '../print-config.ts';
import { firstStopSignal } from '../stop-signals.ts';

/** Flags of `serve`. */
export interface ServeFlags {
  readonly port?: string;
  readonly host?: string;
  readonly printConfig?: boolean;
  readonly check?: boolean;
}

/** Serves until SIGTERM (exit 0) or SIGINT (exit 130); a second signal ends at once. */
export async function run(invocation: Invocation, flags: ServeFlags): Promise<ExitCode> {
  const { output } = invocation;
  const loaded = await invocation.loadConfig([
    { name: 'port', flag: '--port', text: flags.port },
    { name: 'host', flag: '--host', text: flags.host },
  ]);
  if (flags.printConfig === true) {
    await printConfig(output, loaded);
    return EXIT.ok;
  }
  checkServable(loaded);
  if (flags.check === true) {
    await checkProduct(loaded.config);
    if (output.json) await output.jsonLine({ ready: true });
    else await output.data('ready: the configuration is valid and the database is as it must be');
    return EXIT.ok;
  }
  return serve(invocation, loaded);
}

async function serve(invocation: Invocation, loaded: LoadedConfig): Promise<ExitCode> {
  const { output } = invocation;
  const config = await withSecret(loaded.config);
  const stop = firstStopSignal();
  let product: RunningProduct | undefined;
  const fail = (error: unknown): never => {
    // Nothing can be relied on any more: what was acknowledged is durable, the rest is repeated.
    const { cause } = describeFailure(error);
    if (product === undefined) output.error(`error: ${cause}`);
    else product.logger.error('process.failed', 'the process ends', { err: error });
    return process.exit(EXIT.runtime);
  };
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);

  const terminal = process.stderr.isTTY === true;
  const format = config.log_format ?? (terminal ? 'pretty' : 'json');
  product = await startProduct(config, {
    onFatal: fail,
    log: {
      format,
      colour: format === 'pretty' && terminal && invocation.globals.color !== false,
      write: (line) => process.stderr.write(line),
    },
  });
  const firstRun = config.dev_secret_file !== null;
  if (firstRun || terminal) await printBanner(output, { product, config, firstRun });
  if (output.json) {
    const { url, address, port } = product;
    await output.jsonLine({ event: 'listening', url, address, port });
  }
  const signal = await stop;
  await product.close();
  return signal === 'SIGINT' ? EXIT.interrupted : EXIT.ok;
}
