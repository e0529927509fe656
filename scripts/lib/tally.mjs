/** Counts per lane and the closing report of a test run. */

/** Most failures of the closing list; all stand where they happened. */
const FAILURES_LISTED = 40;

/** Collects lane results; `print` writes the table and returns whether everything passed. */
export class Tally {
  #rows = [];
  #unproven = [];

  /** Adds a lane's counts. `notes` are printed below the table. */
  add(name, { passed, failed, skipped = 0, seconds = 0, notes = [], failures = notes }) {
    const listed = failed > 0 ? failures : [];
    this.#rows.push({ name, passed, failed, skipped, seconds, failures: listed });
    const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
    process.stdout.write(`— ${name}: ${line} (${seconds.toFixed(1)} s)\n`);
    for (const note of notes) process.stdout.write(`  ${note}\n`);
  }

  /** Says that something was not shown by this run, and why. */
  notProven(name, reason) {
    this.#unproven.push({ name, reason });
    process.stdout.write(`— ${name}: NOT PROVEN (${reason})\n`);
  }

  /** Prints counts per lane and ends with the line `N passed, N failed`. */
  print() {
    process.stdout.write('\nlane            passed  failed   seconds\n');
    for (const row of this.#rows) {
      process.stdout.write(
        `${row.name.padEnd(14)}${String(row.passed).padStart(8)}${String(row.failed).padStart(8)}` +
          `${row.seconds.toFixed(1).padStart(10)}\n`,
      );
    }
    for (const { name, reason } of this.#unproven) {
      process.stdout.write(`${name.padEnd(14)} NOT PROVEN: ${reason}\n`);
    }
    this.#printFailures();
    const passed = sum(this.#rows.map((row) => row.passed));
    const failed = sum(this.#rows.map((row) => row.failed));
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0 && passed > 0;
  }

  /** Once more at the end, where somebody looks first. */
  #printFailures() {
    const all = this.#rows.flatMap(({ name, failures }) =>
      failures.map((one) => `${name}: ${one}`),
    );
    for (const one of all.slice(0, FAILURES_LISTED)) process.stdout.write(`✗ ${one}\n`);
    const left = all.length - FAILURES_LISTED;
    if (left > 0) process.stdout.write(`✗ and ${left} more\n`);
  }
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
