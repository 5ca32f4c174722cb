/** Waits until `condition` holds. Throws, naming `what`, when it does not within `timeoutMs`. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 20,
): Promise<void> {
  const endsAt = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() >= endsAt) throw new Error(`Not within ${timeoutMs / 1_000} s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** The promise's value. Throws, naming `what`, when it takes longer than `timeoutMs`. */
export async function withDeadline<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${timeoutMs / 1_000} s: ${what}.`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
