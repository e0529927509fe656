/** Waits for what a server does in its own time; what does not happen is a failure that says so. */

const PATIENCE_MS = 5_000;

/** Resolves when the condition holds, looked at in every turn of the loop. */
export async function reached(isReached: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!isReached()) {
    if (performance.now() > end) throw new Error(`never came: ${isReached.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The same value; fails when it does not come. */
export async function inTime<T>(value: Promise<T>, missing: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(missing())), PATIENCE_MS);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
