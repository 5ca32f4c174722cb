import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRoot } from "./dataFolder.ts";
import { defaultCacheFolder } from "./privateCopy.ts";
import { startServer } from "./startServer.ts";

const nobody = 65_534;
let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-accounts-"));
  chmodSync(root, 0o711);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

// A checkout, or a Node, under a folder that only root can enter is closed to everybody else.
function isOpenToNobody(): boolean {
  const read = `require("node:fs").readFileSync(${JSON.stringify(fileURLToPath(import.meta.url))})`;
  return isRoot() && spawnSync(process.execPath, ["-e", read], { cwd: "/", uid: nobody, gid: nobody }).status === 0;
}

// Only root can become somebody else; an ordinary user's runs are what all other tests show then.
describe.runIf(isRoot())("as root", () => {
  test("PostgreSQL runs as an ordinary account, in the data folder", async () => {
    const dataDir = join(root, "open");
    const server = await startServer("postgres", { dataDir });
    const pid = server.process?.pid ?? 0;
    expect(statSync(`/proc/${pid}`).uid).toBeGreaterThan(0);
    expect(server.dataFolder).toBe(join(dataDir, "postgres/data"));
    expect(statSync(server.dataFolder ?? "").mode & 0o777).toBe(0o700);
    await server.close();
  });

  test("PostgreSQL's folder lies elsewhere when its account can't enter the data folder, and is found again", async () => {
    const closed = join(root, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const dataDir = join(closed, "data");
    const first = await startServer("postgres", { dataDir });
    await first.close();
    expect(lstatSync(join(dataDir, "postgres")).isSymbolicLink()).toBe(true);
    expect(first.dataFolder).toMatch(/^\/var\/lib\/connect-hub\//);
    const again = await startServer("postgres", { dataDir });
    expect(again.dataFolder).toBe(first.dataFolder);
    await again.close();
    rmSync(dirname(first.dataFolder ?? ""), { recursive: true });
  });

  test.runIf(isOpenToNobody())(
    "somebody without rights and without a home starts everything from private copies",
    () => {
      const home = join(root, "nobody");
      mkdirSync(home);
      // What was fetched already serves here too: who fetches is tested by whoever fetches first.
      const servers = readdirSync(defaultCacheFolder()).filter((name) => /^(nats|valkey)-/.test(name));
      for (const name of servers)
        cpSync(join(defaultCacheFolder(), name), join(home, "cache", name), { recursive: true });
      const script = join(home, "start.mjs");
      const module = JSON.stringify(fileURLToPath(new URL("./index.ts", import.meta.url)));
      writeFileSync(
        script,
        `import { startServers } from ${module};
       const servers = await startServers({ dataDir: "data", ports: { nats: 0, postgres: 0, valkey: 0 }, privateOnly: true });
       console.log(JSON.stringify([servers.nats, servers.postgres, servers.valkey].map((one) => one.source)));
       await servers.close();`,
      );
      chownSync(home, nobody, nobody);
      const { stdout, stderr } = spawnSync(
        process.execPath,
        ["--import", fileURLToPath(import.meta.resolve("tsx")), script],
        {
          cwd: home,
          encoding: "utf8",
          uid: nobody,
          gid: nobody,
          env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", HUB_CACHE: join(home, "cache"), TMPDIR: home },
        },
      );
      expect(stdout, stderr).toBe('["private","private","private"]\n');
    },
  );
});
