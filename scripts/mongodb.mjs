/**
 * The MongoDB of the tests: a library (`startMongo`) and a command that runs one in the foreground.
 *
 * Looked for in this order, and named when found: MONGODB_URI; `mongod` on the PATH as a one-member
 * replica set; `mongodb-memory-server-core` when SYNC_TEST_DOWNLOAD=1; the PyPI package SecantusDB in a
 * private environment under `.cache/mongodb`. A started server never outlives the process that asked for
 * it, however that process ends: a watcher kills it when the pipe to us closes.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { findOnPath, secantusCommand } from './lib/mongodb-install.mjs';

const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const START_ATTEMPTS = 3;
const OUTPUT_KEPT = 4_000;
const USER = { name: 'sync', password: 'sync-test-password' };

/**
 * Starts (or finds) a MongoDB and resolves when it accepts commands.
 *
 * Any option asks for a server of our own, so MONGODB_URI is passed over then; a kind of server that
 * cannot honour an option is passed over too. Without `storagePath` the data is removed at the end.
 *
 * @param {import('./mongodb.mjs').MongoOptions} [options]
 * @returns {Promise<import('./mongodb.mjs').StartedMongo>}
 */
export async function startMongo(options = {}) {
  const { stallFile: _stallFile, ...demands } = options;
  const wanted = Object.values(demands).some((value) => value !== undefined && value !== false);
  const fromEnvironment = process.env.MONGODB_URI;
  if (fromEnvironment && !wanted) {
    return { uri: fromEnvironment, kind: 'MONGODB_URI', stop: async () => {} };
  }
  const likeMongod = !options.auth && options.oplogMaxEntries === undefined;
  const mongod = likeMongod ? findOnPath('mongod') : undefined;
  if (mongod !== undefined) return startAsReplicaSet('mongod on the PATH', mongod, options);
  if (likeMongod && process.env.SYNC_TEST_DOWNLOAD === '1') {
    const { MongoBinary } = await import('mongodb-memory-server-core');
    const binary = await MongoBinary.getPath({ downloadDir: cacheFolder('binaries') });
    return startAsReplicaSet('mongodb-memory-server-core', binary, options);
  }
  return startSecantus(options);
}

async function startSecantus(options) {
  const { command, args, env, kind } = await secantusCommand();
  const folder = storageFolder(options);
  const start = (auth) =>
    startOnFreePort(options, (port) => ({
      command,
      args: [...args, ...secantusArguments({ ...options, auth }, port, folder.path)],
      env: {
        ...env,
        SYNC_TEST_STALL: options.stallFile ?? '',
        SYNC_TEST_RIGHTS: options.auth ? '1' : '',
      },
      ...folder,
      watched: options.stallFile !== undefined,
    }));
  if (options.auth) {
    const open = await start(false);
    await addUser(open.port);
    await open.stop({ keep: true });
  }
  const server = await start(options.auth);
  const login = options.auth ? `${USER.name}:${USER.password}@` : '';
  const query = options.standalone ? '' : '?replicaSet=secantus';
  return started(kind, server, `mongodb://${login}127.0.0.1:${server.port}/${query}`);
}

/** With 256 MB of cache its engine made every thread evict pages, for seconds and once for good. */
function secantusArguments(options, port, folder) {
  return [
    ...['--host', '127.0.0.1', '--port', String(port), '--storage-path', folder],
    ...['--log-level', 'ERROR', '--cache-size', '1G'],
    ...(options.syncOnCommit ? ['--sync-on-commit'] : []),
    ...(options.testCommands ? ['--enable-test-commands'] : []),
    ...(options.standalone ? ['--standalone'] : []),
    ...(options.auth ? ['--auth'] : []),
    ...(options.oplogMaxEntries === undefined
      ? []
      : ['--oplog-max-entries', String(options.oplogMaxEntries)]),
  ];
}

async function startAsReplicaSet(kind, command, options) {
  const folder = storageFolder(options);
  const server = await startOnFreePort(options, (port) => ({
    command,
    args: [
      ...['--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', folder.path, '--quiet'],
      ...(options.standalone ? [] : ['--replSet', 'rs0']),
      ...(options.testCommands ? ['--setParameter', 'enableTestCommands=1'] : []),
    ],
    env: {},
    ...folder,
  }));
  if (!options.standalone) await initiate(server.port);
  const query = options.standalone ? '' : '?replicaSet=rs0';
  return started(kind, server, `mongodb://127.0.0.1:${server.port}/${query}`);
}

function started(kind, server, uri) {
  return { uri, kind, pid: server.pid, stop: () => server.stop({ keep: false }) };
}

/** A given storage path is the caller's to keep. */
function storageFolder(options) {
  if (options.storagePath !== undefined) {
    mkdirSync(options.storagePath, { recursive: true });
    return { path: options.storagePath, temporary: false };
  }
  return { path: mkdtempSync(path.join(os.tmpdir(), 'sync-mongodb-')), temporary: true };
}

/** Another process may take a free port before the server does; then the next one is tried. */
async function startOnFreePort(options, describe) {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const server = new Server(describe(port), port);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server.stop({ keep: attempt < START_ATTEMPTS });
      if (attempt >= START_ATTEMPTS) throw error;
    }
  }
}

async function freePort() {
  const probe = net.createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Ends the server when our end of its pipe closes, which also happens when we are killed. */
const WATCHER = fileURLToPath(new URL('./lib/mongodb-watcher.mjs', import.meta.url));

class Server {
  #child;
  #watcher;
  #folder;
  #exited;
  #output = '';
  port;

  constructor(description, port) {
    this.port = port;
    this.#folder = description.temporary ? description.path : '';
    this.#child = spawn(description.command, description.args, {
      env: { ...process.env, ...description.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve(true));
      this.#child.once('error', (error) => {
        this.#output += String(error);
        resolve(true);
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        this.#output = (this.#output + text).slice(-OUTPUT_KEPT);
      });
      stream.unref();
    }
    this.#child.unref();
    this.#watcher = spawn(
      process.execPath,
      [WATCHER, String(this.pid), this.#folder, description.watched ? addressOf(port) : ''],
      { stdio: ['pipe', 'ignore', 'ignore'], detached: true },
    );
    this.#watcher.unref();
    this.#watcher.stdin.unref();
  }

  get pid() {
    return this.#child.pid;
  }

  /** Resolves when a command is answered; rejects with the server's last output when it ends before. */
  async ready() {
    const deadline = performance.now() + READY_LIMIT_MS;
    while (performance.now() < deadline) {
      if (await answers(this.port)) return;
      if (await Promise.race([this.#exited, pause(50)])) {
        throw new Error(`the MongoDB server ended while starting:\n${this.#output}`);
      }
    }
    throw new Error(`the MongoDB server did not answer within ${READY_LIMIT_MS / 1000} s`);
  }

  async stop({ keep }) {
    this.#child.kill('SIGTERM');
    if (!(await Promise.race([this.#exited, pause(STOP_LIMIT_MS)]))) {
      this.#child.kill('SIGKILL');
      await this.#exited;
    }
    this.#watcher.kill('SIGKILL');
    if (this.#folder !== '' && !keep) rmSync(this.#folder, { recursive: true, force: true });
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}

function addressOf(port) {
  return `mongodb://127.0.0.1:${port}/?directConnection=true`;
}

function directClient(port) {
  return new MongoClient(addressOf(port), {
    serverSelectionTimeoutMS: 1_000,
    connectTimeoutMS: 1_000,
  });
}

/** `hello` needs no rights, so this also tells that a server with users is up. */
async function answers(port) {
  const client = directClient(port);
  try {
    await client.db('admin').command({ hello: 1 });
    return true;
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

async function addUser(port) {
  const client = directClient(port);
  try {
    await client.db('admin').command({
      createUser: USER.name,
      pwd: USER.password,
      roles: [{ role: 'root', db: 'admin' }],
    });
  } finally {
    await client.close();
  }
}

/** Makes a fresh server a replica set of one, or waits for the one that is stored. */
async function initiate(port) {
  const client = directClient(port);
  try {
    const admin = client.db('admin');
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
    await admin.command({ replSetInitiate: { _id: 'rs0', members } }).catch((error) => {
      if (error.codeName !== 'AlreadyInitialized') throw error;
    });
    const deadline = performance.now() + READY_LIMIT_MS;
    while (!(await admin.command({ hello: 1 })).isWritablePrimary) {
      if (performance.now() > deadline) throw new Error('the replica set elected no primary');
      await pause(50);
    }
  } finally {
    await client.close();
  }
}

function cacheFolder(name) {
  return fileURLToPath(new URL(`../.cache/mongodb/${name}`, import.meta.url));
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      'storage-path': { type: 'string' },
      'sync-on-commit': { type: 'boolean' },
      'test-commands': { type: 'boolean' },
      standalone: { type: 'boolean' },
      auth: { type: 'boolean' },
    },
  });
  const server = await startMongo({
    port: values.port === undefined ? undefined : Number(values.port),
    storagePath: values['storage-path'],
    syncOnCommit: values['sync-on-commit'],
    testCommands: values['test-commands'],
    standalone: values.standalone,
    auth: values.auth,
  });
  process.stderr.write(`MongoDB: ${server.kind}\n`);
  process.stdout.write(`${server.uri}\n`);
  if (server.pid === undefined) return;
  const alive = setInterval(() => {}, 60_000);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      await server.stop();
      clearInterval(alive);
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
