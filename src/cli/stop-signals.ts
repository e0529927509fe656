/** SIGTERM and SIGINT: the first asks for a drain, the next one ends the process at once. */

import { EXIT } from './exit-codes.ts';

type StopSignal = 'SIGTERM' | 'SIGINT';

/** Resolves with the first signal; from then on any signal exits. Also counts those during the start. */
export function firstStopSignal(): Promise<StopSignal> {
  return new Promise((resolve) => {
    let received = false;
    const listen = (signal: StopSignal): void => {
      process.on(signal, () => {
        if (received) process.exit(signal === 'SIGINT' ? EXIT.interrupted : EXIT.runtime);
        received = true;
        resolve(signal);
      });
    };
    listen('SIGTERM');
    listen('SIGINT');
  });
}
