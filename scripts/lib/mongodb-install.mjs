/** Finds programs, and installs the SecantusDB server once into the checkout's cache. */

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { inRoot } from './paths.mjs';

const VERSION = '0.7.0b3';
const PYTHONS = ['python3', 'python3.10', 'python3.11', 'python3.12', 'python3.13'];
const PYTHON_VERSIONS = ['3.10', '3.11', '3.12', '3.13'];
const INSTALL_LIMIT_MS = 600_000;
/**
 * SIGUSR1 makes a server with SYNC_TEST_STALL write the stacks of its threads into that file. With users
 * it asks for the right to a change stream, as a mongod does; by itself it checks all others but that one.
 */
const START = `
import os, sys
if os.environ.get('SYNC_TEST_STALL'):
    import faulthandler, signal
    if hasattr(faulthandler, 'register'): faulthandler.register(signal.SIGUSR1, file=open(os.environ['SYNC_TEST_STALL'], 'w'), all_threads=True)
if os.environ.get('SYNC_TEST_RIGHTS'):
    from secantus import commands
    asked = commands._pipeline_secondary_requirements
    def with_streams(command, db):
        stages = command.get('pipeline') or []
        streams = any('$changeStream' in stage for stage in stages)
        return asked(command, db) + ([('changeStream', db)] if streams else [])
    commands._pipeline_secondary_requirements = with_streams
from secantus.cli import main
sys.exit(main())
`;

/** Absolute path of a program on the PATH, or undefined. */
export function findOnPath(name) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, name);
    try {
      if (folder !== '') {
        accessSync(file, constants.X_OK);
        return file;
      }
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Command, arguments and environment that start SecantusDB; installs it on first use. */
export async function secantusCommand() {
  const folder = inRoot('.cache', 'mongodb', VERSION);
  const marker = path.join(folder, 'installed.json');
  if (!existsSync(marker)) install(folder);
  const { python, venv } = JSON.parse(readFileSync(marker, 'utf8'));
  return {
    kind: `SecantusDB ${VERSION} in .cache/mongodb`,
    command: venv ? path.join(folder, 'bin', 'python') : python,
    args: ['-c', START],
    env: venv ? {} : { PYTHONPATH: path.join(folder, 'packages') },
  };
}

/** Installs beside the final folder and renames, so that two processes cannot see half of it. */
function install(folder) {
  const python = findPython();
  const staging = `${folder}.${process.pid}`;
  process.stderr.write(
    `Installing SecantusDB ${VERSION} into .cache/mongodb (about 145 MB, once) …\n`,
  );
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { recursive: true });
  const venv = run(python, ['-m', 'venv', staging]).ok;
  const result = venv
    ? run(path.join(staging, 'bin', 'python'), pipArguments([]))
    : run(python, pipArguments(['--target', path.join(staging, 'packages')]));
  if (!result.ok) {
    rmSync(staging, { recursive: true, force: true });
    throw new Error(
      /No module named pip/.test(result.output)
        ? 'The MongoDB of the tests needs Python with venv or pip: install the package python3-venv ' +
            '(or python3-pip) of your system, or set MONGODB_URI.'
        : `Installing SecantusDB ${VERSION} failed; set MONGODB_URI to use another server.\n${result.output}`,
    );
  }
  writeFileSync(path.join(staging, 'installed.json'), JSON.stringify({ python, venv }));
  try {
    renameSync(staging, folder);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(path.join(folder, 'installed.json'))) throw error;
  }
}

function pipArguments(more) {
  return ['-m', 'pip', 'install', '--quiet', ...more, `SecantusDB==${VERSION}`];
}

/** A Python whose version has a wheel. The name alone proves nothing: it may be a stub. */
function findPython() {
  for (const name of PYTHONS) {
    const { ok, output } = run(name, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
    if (ok && PYTHON_VERSIONS.includes(output.trim())) return name;
  }
  throw new Error(
    `The MongoDB of the tests needs Python ${PYTHON_VERSIONS[0]}–${PYTHON_VERSIONS.at(-1)} ` +
      `(looked for ${PYTHONS.join(', ')}), or a mongod on the PATH, or MONGODB_URI.`,
  );
}

function run(command, args) {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: INSTALL_LIMIT_MS });
  return {
    ok: done.status === 0,
    output: `${done.stdout ?? ''}${done.stderr ?? ''}`.slice(-4_000),
  };
}
