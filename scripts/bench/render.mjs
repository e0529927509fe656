/** The page of benchmark figures, made from the recorded JSON lines. */

const HEAD = `# Benchmarks

Made by \`npm run bench -- --write\` from \`docs/bench.jsonl\`. Every figure is the median of interleaved
rounds against a baseline in the same run; quote the ratio, not the absolute numbers. The virtual disk
of such a machine acknowledges faster than a laptop's, so single-commit rates are optimistic.

- **embedded**: the engine in one process against the same SQL statements issued raw, one transaction per push.
- **http**: \`offline-sync serve\` (JWT, validation, receipts, conflicts, every push durable before its answer)
  against a minimal Hono + SQLite + \`ws\` server without any guarantee (\`scripts/bench/minimal-server.mjs\`).
- **mongo**: the engine against the raw driver's same transaction, on the MongoDB-wire server of the tests.
  That server is a correctness lane, not a promise about a MongoDB version.
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
    '',
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
