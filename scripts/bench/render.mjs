/** The page of benchmark figures, made from the recorded JSON lines. */

const HEAD = `# Benchmarks

Made by \`npm run bench -- --write\` from \`docs/bench.jsonl\`. Every figure is the median of interleaved
rounds against a baseline in the same run; quote the ratio, not the absolute numbers. The virtual disk
of such a machine acknowledges faster than a laptop's, so single-commit rates are optimistic.

- **embedded**: the engine in one process against the same SQL statements issued raw, one transaction per push.
- **http**: \`offline-sync serve\` (JWT, validation, receipts, conflicts, every push durable before its answer)
  against a minimal Hono + SQLite + \`ws\` server without any guarantee (\`scripts/bench/minimal-server.mjs\`).
- **live**: from the request of a push to the frame at another client; clients that come back all at once, 10 rows
  behind; one writer and 1,000 subscribers; sockets that only wait. Clients are a process of their own. Beside the
  minimal server, which sends every row to every socket, or beside bare \`ws\` (\`scripts/bench/bare-ws.mjs\`) sending
  the same bytes. Across two nodes the baseline is a bare insert and the driver's change stream.
- **mongo**: the engine against the raw driver's same transaction, on the MongoDB-wire server of the tests.
  That server is a correctness lane, not a promise about a MongoDB version.
`;

const PROFILES = `
## Where goals are missed, and why

The recorded run shared its two cores with other work (load 3 to 5), which hits short figures hardest. The
profiles below are of the code, not of the run.

- **One push of one change by one caller** (about 470 µs in a calm profile): commit with its flush 190, four
  hops between threads 110, check and decision 95, SQL 75. The raw side has no decision and no thread. The
  thread is what keeps the event loop free while others push; with 32 callers the same push costs about half of
  the raw transaction. Loading on the main thread would save two hops and break "load under the lock".
- **32 callers in 16 scopes**: every scope commits its own group, so 16 flushes where one scope has one.
- **100 changes per push**: about 50 µs per change for check, hashes, decision and wire text, beside about
  100 µs of index writes that both sides pay.
- **64 callers over HTTP**: bound by the one event loop (request, token, body scan, answer about 95 µs; engine
  about 90 µs per push) while the load generator uses the other core. Between runs the ratio was 1.2 to 3.4.
- **Replays of 10 and 1,000 writes**: per change the minimal server writes two B-trees, ours eight (document
  and its scope index, log and two unique indexes, receipt and its age index, head), reads three, and within
  one request the two threads take turns instead of overlapping.
- **Propagation**: nearly all of it is the push (above): check, two threads, one flush. The live part is 0.1 to
  0.2 ms, most of it the one write to the socket. The minimal server has no thread to wait for, so the ratio is
  largest on a calm machine (measured 0.5 to 2.5 between runs).
- **Across two nodes**: the push is about half (a transaction of the test server), the change stream's answer
  most of the rest; a bare insert and its event take 4 ms there.
- **Storms**: a handshake is about 0.3 ms on either side (HTTP parser, SHA-1 of the key, socket set-up); ours checks
  a token and a request besides, and writes all rows of a client in one call where the minimal server writes each.
- **Fan-out**: one write to the kernel per frame and socket is nearly all of it, about 10 µs. Subscribers are woken
  128 at a time, so the next push commits meanwhile and its row goes along in the same write.
- **MongoDB, 100 changes**: three documents per change (document, log row, receipt) with the indexes that
  \`init\` makes, of which the raw side has two.
`;

/** Renders the page. */
export function renderBenchmarks(lines) {
  const hardware = lines.find((line) => line.kind === 'hardware');
  const rows = lines.filter((line) => line.scenario);
  const { cpu, cores, memory_gib, node, platform, date } = hardware;
  return [
    HEAD,
    `Machine: ${cpu}, ${cores} cores, ${memory_gib} GiB, Node ${node}, ${platform}, ${date}.\n`,
    '| scenario | unit | ours | baseline | ratio (min–max) | goal | met |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(row),
    PROFILES,
  ].join('\n');
}

function row(line) {
  const ratio =
    line.ratio === undefined ? '–' : `${line.ratio} (${line.ratio_min}–${line.ratio_max})`;
  const met = line.met === null || line.met === undefined ? '–' : line.met ? 'yes' : '**no**';
  return `| ${line.scenario} | ${line.unit} | ${number(line.ours)} | ${number(line.baseline)} | ${ratio} | ${line.goal ?? '–'} | ${met} |`;
}

function number(value) {
  return value === undefined
    ? '–'
    : value >= 1_000
      ? Math.round(value).toLocaleString('en')
      : value;
}
