/** Any error as an exit code with a one-line cause and a one-line fix. */

import type { StoreUnreachable } from '../compose-store.ts';
import { ClockError } from '../core/clock-guard.ts';
import { StoreError, type StoreErrorKind } from '../core/ports/store.ts';
import { SetupError, type SetupFault } from '../core/upkeep/layout.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** What is printed last and what the process ends with. */
export interface Failure {
  readonly exit: ExitCode;
  /** Stable word for scripts. */
  readonly code: string;
  readonly cause: string;
  readonly fix: string;
  /** Lines before the cause, each with its own place. */
  readonly details?: readonly string[];
}

/** A command that cannot go on for a reason it can name. */
export class CommandError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.cause);
    this.name = 'CommandError';
    this.failure = failure;
  }
}

/** A wrong flag or argument: exit 2. */
export function usageError(cause: string, fix: string): CommandError {
  return new CommandError({ exit: EXIT.usage, code: 'usage', cause, fix });
}

/** The failure of any thrown value. Unknown errors keep their own message, cleaned of credentials. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) return error.failure;
  if (error instanceof StoreError) return storeFailure(error);
  if (isNamed<StoreUnreachable>(error, 'StoreUnreachable')) return unreachableFailure(error);
  if (error instanceof SetupError) return setupFailure(error);
  if (error instanceof ClockError) {
    return {
      exit: EXIT.runtime,
      code: 'clock_wrong',
      cause: 'the system clock is before the build date of this server',
      fix: 'set the clock and start again',
    };
  }
  const problems = configProblems(error);
  if (problems !== undefined) {
    return {
      exit: EXIT.usage,
      code: 'config_invalid',
      cause:
        problems.length === 1
          ? 'the configuration has a fault'
          : `the configuration has ${problems.length} faults`,
      fix: 'correct the places above, then check with: offline-sync config validate',
      details: problems,
    };
  }
  if (isNamed<Error>(error, 'KeysUnreachable')) {
    return {
      exit: EXIT.runtime,
      code: 'keys_unreachable',
      cause: scrub(error.message),
      fix: 'check auth.jwks_url, and that this machine reaches it',
    };
  }
  if (isNamed<Error>(error, 'ListenError')) {
    return {
      exit: EXIT.runtime,
      code: 'listen_failed',
      cause: error.message,
      fix: 'choose another address with --port or --host, or stop the process that holds it',
    };
  }
  return {
    exit: EXIT.runtime,
    code: 'runtime',
    cause: scrub(error instanceof Error ? error.message : String(error)),
    fix: 'run again with --log-level debug for details',
  };
}

function unreachableFailure(error: StoreUnreachable): Failure {
  const reason = error.cause instanceof Error ? error.cause.cause : undefined;
  const because = reason instanceof Error ? `: ${reason.message}` : '';
  return {
    exit: EXIT.database,
    code: 'database_unreachable',
    cause: `${scrub(`${scrub(error.message)}${because}`)} (${error.place})`,
    fix:
      error.store === 'mongo'
        ? 'check that the database runs, and mongodb_uri: address, user, password, replica set'
        : 'check data_dir and its rights; offline-sync init creates the store',
  };
}

const STORE_FAILURES: Readonly<Partial<Record<StoreErrorKind, Omit<Failure, 'cause'>>>> = {
  unavailable: {
    exit: EXIT.database,
    code: 'database_unreachable',
    fix: 'check that the database runs and that mongodb_uri (address, user, password) is right',
  },
  unsupported: {
    exit: EXIT.usage,
    code: 'database_unsupported',
    fix: 'point mongodb_uri at a replica set, without options that weaken it',
  },
  locked: {
    exit: EXIT.conflict,
    code: 'locked',
    fix: 'stop the other process (one that crashed counts for 6 s more), or use another data_dir or database; a newer schema needs a newer offline-sync',
  },
  layout_blocked: {
    exit: EXIT.verification,
    code: 'layout_blocked',
    fix: 'see the blocked steps with: offline-sync init --dry-run',
  },
};

const UNAUTHORIZED = 13;

/** The driver's text is left out: it may quote the command. */
function missingRight(error: StoreError): Failure | undefined {
  if ((error.cause as { code?: unknown } | undefined)?.code !== UNAUTHORIZED) return undefined;
  return {
    exit: EXIT.database,
    code: 'database_forbidden',
    cause: 'the database user lacks a right that this command needs',
    fix: 'grant it the role readWrite on the database; offline-sync init prints every right',
  };
}

function storeFailure(error: StoreError): Failure {
  const forbidden = missingRight(error);
  if (forbidden !== undefined) return forbidden;
  const known = STORE_FAILURES[error.kind];
  return known === undefined
    ? {
        exit: EXIT.runtime,
        code: error.kind,
        cause: scrub(error.message),
        fix: 'run again with --log-level debug for details',
      }
    : { ...known, cause: scrub(error.message) };
}

const SETUP_FIXES: Readonly<Record<SetupFault, { exit: ExitCode; fix: string }>> = {
  not_initialised: { exit: EXIT.database, fix: 'run: offline-sync init (or set auto_init: true)' },
  layout_incomplete: {
    exit: EXIT.database,
    fix: 'run: offline-sync init (or set auto_init: true)',
  },
  removal_begun: { exit: EXIT.database, fix: 'finish it with: offline-sync init --remove --yes' },
  schema_older: { exit: EXIT.database, fix: 'run: offline-sync init' },
  schema_newer: { exit: EXIT.conflict, fix: 'use the newer offline-sync that wrote this database' },
};

function setupFailure({ fault, findings, message }: SetupError): Failure {
  return {
    ...SETUP_FIXES[fault],
    code: fault,
    cause: message,
    ...(findings.length > 0 ? { details: findings } : {}),
  };
}

function configProblems(error: unknown): readonly string[] | undefined {
  return isNamed<Error>(error, 'ConfigError') ? error.message.split('\n') : undefined;
}

/** For classes of modules that this one must not load: they bring the schema library or the server. */
function isNamed<E extends Error>(error: unknown, name: string): error is E {
  return error instanceof Error && error.name === name;
}

const CAUSE_LENGTH_MAX = 400;

/** A library's message on one line, without credentials and tokens. */
export function scrub(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+]*:\/\/)\S*@/gi, '$1')
    .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '<token>')
    .replace(/\s+/g, ' ')
    .slice(0, CAUSE_LENGTH_MAX)
    .replace(/\.$/, '');
}
