import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";
import { type ChromiumPage, findChromium, openChromium } from "../support/chromium.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
let folder: string;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  folder = mkdtempSync(join(tmpdir(), "hub-examples-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await chat?.close();
});

/** The programs of docs/sdk.md, in order, each with what it prints. */
function examples(): readonly { readonly line: number; readonly code: string; readonly prints: readonly string[] }[] {
  const text = readFileSync(new URL("../../docs/sdk.md", import.meta.url), "utf8");
  return [...text.matchAll(/```js\n(.*?)```\n\n```text\n(.*?)```/gs)].map(
    ({ 1: code = "", 2: prints = "", index }) => ({
      line: text.slice(0, index).split("\n").length,
      code,
      prints: prints.trimEnd().split("\n"),
    }),
  );
}

/** The browser's own, in place of that of a package. */
const ownWebSocket: Plugin = {
  name: "own-web-socket",
  setup(builder) {
    builder.onResolve({ filter: /^ws$/ }, () => ({ path: "ws", namespace: "own" }));
    builder.onLoad({ filter: /.*/, namespace: "own" }, () => ({
      contents: "export const { WebSocket } = globalThis;",
    }));
  },
};

/** The package is CommonJS and asks for Node's modules by `require`. */
const banner = 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);';

/** An example as one script for this edge, with people of its own. */
async function scriptOf(code: string, platform: "node" | "browser"): Promise<string> {
  const here = code
    .replaceAll("http://127.0.0.1:7750", edge.url)
    .replaceAll("@example.org", `@${platform}.example.org`);
  const built = await build({
    stdin: { contents: here, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
    bundle: true,
    format: "esm",
    platform,
    target: "es2022",
    write: false,
    ...(platform === "node" ? { banner: { js: banner } } : { plugins: [ownWebSocket] }),
  });
  return built.outputFiles[0]?.text ?? "";
}

test("each example of docs/sdk.md prints in Node what the page says", async () => {
  const all = examples();
  expect(all.length).toBeGreaterThanOrEqual(5);
  for (const { line, code, prints } of all) {
    const path = join(folder, `${line}.mjs`);
    writeFileSync(path, await scriptOf(code, "node"));
    const { stdout } = await promisify(execFile)(process.execPath, [path], { timeout: 20_000 });
    expect(stdout.trimEnd().split("\n"), `docs/sdk.md:${line}`).toEqual(prints);
  }
}, 60_000);

describe("in Chromium", () => {
  let page: ChromiumPage;
  // Where there is none, it is fetched first.
  beforeAll(async () => {
    page = await openChromium(await findChromium(), edge.url);
  }, 600_000);
  afterAll(() => page?.close());

  test("each example of docs/sdk.md prints what the page says", async () => {
    for (const { line, code, prints } of examples())
      expect(await page.run(await scriptOf(code, "browser")), `docs/sdk.md:${line}`).toEqual(prints);
  }, 60_000);
});
