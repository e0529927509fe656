/** Entry of the reader thread: reads of many rows, off the thread that serves requests. */

import { workerData } from 'node:worker_threads';
import { type Connection, openConnection } from './connection.ts';
import { databaseFile } from './data-folder.ts';
import type { ReaderTasks, TaskRequest } from './messages.ts';
import { readDocumentRows, readPage, readRange } from './reads.ts';
import { sqliteDriver } from './sqlite-driver.ts';
import { failureOf } from './worker-failure.ts';
import { Inbox, type WorkerStart } from './worker-inbox.ts';

function runTask(connection: Connection, { task, input }: TaskRequest): unknown {
  switch (task as keyof ReaderTasks) {
    case 'rows':
      return readRange(connection, input as ReaderTasks['rows']['takes']);
    case 'page':
      return readPage(connection, input as ReaderTasks['page']['takes']);
    case 'documents':
      return readDocumentRows(connection, input as ReaderTasks['documents']['takes']);
    case 'close':
      connection.close();
      return null;
    default:
      throw new Error('The reader was asked for something it does not do.');
  }
}

function serve(inbox: Inbox, connection: Connection): void {
  for (;;) {
    const request = inbox.next(Number.POSITIVE_INFINITY);
    if (request === undefined) continue;
    try {
      inbox.reply(request.id, runTask(connection, request));
    } catch (error) {
      inbox.fail(request.id, failureOf(error));
    }
    if (request.task === 'close') return;
  }
}

const start = workerData as WorkerStart;
const inbox = new Inbox(start);
try {
  const driver = await sqliteDriver();
  const connection = openConnection(driver, databaseFile(start.data_dir), 'reader');
  inbox.reply(0, null);
  serve(inbox, connection);
} catch (error) {
  inbox.fail(0, failureOf(error));
} finally {
  inbox.close();
}
