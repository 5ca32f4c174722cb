/** The first dotted number in what a program prints about itself (`nats-server: v2.15.1` gives `2.15.1`). */
export function parseVersion(text: string): string | undefined {
  return /\d+(?:\.\d+)+|\b\d{2}(?=(?:beta|rc|devel|\b))/.exec(text)?.[0];
}

/** Below 0, 0 or above 0 as `a` is older than, equal to or newer than `b`; missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
