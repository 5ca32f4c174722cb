import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const appModule = fileURLToPath(new URL("./app.ts", import.meta.url));
const settingsModule = fileURLToPath(new URL("./settings.ts", import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-app-"));
  for (const name of ["one", "two"]) {
    writeFileSync(
      join(folder, `${name}.ts`),
      `import { runApp } from ${JSON.stringify(appModule)};
       import { BadSetting } from ${JSON.stringify(settingsModule)};
       runApp("${name}", async () => {
         const timer = setInterval(() => {}, 1000);
         if (process.env.BAD === "${name}") throw new BadSetting("HUB_X must be a number");
         if (process.env.FAIL === "${name}") setImmediate(() => { throw new Error("broken on purpose"); });
         return { close: async () => { clearInterval(timer); console.log("closed ${name}"); } };
       });`,
    );
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("two apps in one process", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("%s closes both, the last one first, and exits with 0", async (signal) => {
    const { child, output, started, exit } = startBoth();
    await started;
    child.kill(signal);
    child.kill(signal);
    expect(await exit).toBe(0);
    expect(output()).toBe("closed one\nclosed two\n");
  });

  test("the end of the process that started them closes both", async () => {
    const { child, output, started, exit } = startBoth();
    await started;
    child.disconnect();
    expect(await exit).toBe(0);
    expect(output()).toBe("closed one\nclosed two\n");
  });

  test("what nobody catches is logged as one line of JSON and exits with 1", async () => {
    const { output, exit } = startBoth({ FAIL: "two" });
    expect(await exit).toBe(1);
    expect(JSON.parse(output())).toMatchObject({ level: 60, name: "process", err: { message: "broken on purpose" } });
  });

  test("a bad setting is one line, and exits with 2", async () => {
    const { output, exit } = startBoth({ BAD: "two" });
    expect(await exit).toBe(2);
    expect(output()).toBe("HUB_X must be a number\n");
  });
});

function startBoth(env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--import", "tsx", "--import", join(folder, "two.ts"), join(folder, "one.ts")],
    { cwd: checkout, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe", "ipc"] },
  );
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (bytes) => (text += bytes.toString()));
  const messages: unknown[] = [];
  const started = new Promise<void>((resolve) => {
    child.on("message", (message) => {
      messages.push(message);
      if (messages.length === 2) resolve();
    });
  });
  // Not "close": that never comes after a disconnect.
  const ends = [child.stdout, child.stderr].map((stream) => new Promise((resolve) => stream?.once("end", resolve)));
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve)).then(async (code) => {
    await Promise.all(ends);
    return code;
  });
  return { child, output: () => text, started, exit };
}
