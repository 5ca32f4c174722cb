import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./ask.ts";
import { readOrMakeSecret } from "./dataFolder.ts";
import { writeFileAtomic } from "./files.ts";
import type { Launch, LaunchOptions, Recipe } from "./recipe.ts";

/** Redis or Valkey: what it holds may be lost, so it saves a dump now and then and at its end, no more. */
export const valkeyRecipe: Recipe = {
  kind: "valkey",
  async prepare({ program, folder, port }: LaunchOptions): Promise<Launch> {
    const dataFolder = join(folder.path, "valkey");
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const password = readOrMakeSecret(folder, "valkey");
    const configuration = join(dataFolder, "valkey.conf");
    const lines = [
      "bind 127.0.0.1",
      `port ${port}`,
      "protected-mode yes",
      `requirepass ${password}`,
      `dir "${dataFolder}"`,
      // Redis and Valkey, old and new, don't read each other's dumps: each has its own, and starts empty without.
      `dbfilename "${program.binary.includes("valkey") ? "valkey" : "redis"}-${program.version.split(".")[0]}.rdb"`,
      "save 60 1",
      "appendonly no",
      "stop-writes-on-bgsave-error no",
      "daemonize no",
    ];
    writeFileAtomic(configuration, `${lines.join("\n")}\n`);
    return {
      args: [configuration],
      env: {},
      url: `redis://:${password}@127.0.0.1:${port}`,
      dataFolder,
      stopSignal: "SIGTERM",
      stopTimeoutMs: 10_000,
      isReady: async () =>
        (
          await ask({ host: "127.0.0.1", port }, `AUTH ${password}\r\nPING\r\n`, (answer) => answer.includes("+PONG"))
        ).includes("+PONG"),
    };
  },
};
