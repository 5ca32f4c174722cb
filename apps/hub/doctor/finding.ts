/** What `hub doctor` says of one thing. */
export interface Finding {
  /** What was looked at. */
  readonly check: string;
  /** `warn`: it works, but not for ever. `fail`: it doesn't work, or what lies there can't be trusted. */
  readonly state: "ok" | "warn" | "fail";
  /** What was found. */
  readonly says: string;
  /** What the operator should do; undefined when all is well. */
  readonly todo?: string;
}

/** All is well. */
export function ok(check: string, says: string): Finding {
  return { check, state: "ok", says };
}

/** It works, but not for ever. */
export function warn(check: string, says: string, todo: string): Finding {
  return { check, state: "warn", says, todo };
}

/** It doesn't work. */
export function fail(check: string, says: string, todo: string): Finding {
  return { check, state: "fail", says, todo };
}

/** What `look` finds; what it throws is a failure of `check` with this `todo`. */
export async function examine(
  check: string,
  todo: string,
  look: () => Promise<Finding | readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return [await look()].flat();
  } catch (error) {
    return [fail(check, error instanceof Error ? error.message : String(error), todo)];
  }
}
