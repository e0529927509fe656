/** Faults of the configuration: all of them at once, each with its place and what to write instead. */

/** One fault. Values are ready to be shown: secrets were masked. */
export interface ConfigProblem {
  /** `sync.config.yaml:12`, `env SYNC_PORT`, `flag --port`, or the file's name. */
  readonly where: string;
  /** Dotted key; absent when the fault is about the whole source. */
  readonly key?: string;
  readonly value?: string;
  /** What is wrong, or what was expected. */
  readonly message: string;
  /** What a right value looks like at that place. */
  readonly example?: string;
}

/** The configuration cannot be used; the command line exits 2. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(describeProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** One fault as text: the place and value first, then what was expected and an example. */
export function describeProblem(problem: ConfigProblem): string {
  const subject = [
    problem.where,
    problem.key === undefined ? undefined : `${problem.key}`,
    problem.value === undefined ? undefined : `= ${problem.value}`,
  ];
  const lines = [`${subject.filter((part) => part !== undefined).join('  ')}: ${problem.message}`];
  if (problem.example !== undefined) lines.push(`    example: ${problem.example}`);
  return lines.join('\n');
}
