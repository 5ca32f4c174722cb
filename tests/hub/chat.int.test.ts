import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";
import { missingLine } from "../support/consoleBlocks.ts";

const hubProgram = fileURLToPath(new URL("../../dist/latest/hub.js", import.meta.url));

let chat: ChatUnderTest;
let edge: StartedEdge;
let folder: string;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  folder = mkdtempSync(join(tmpdir(), "hub-chat-"));
  writeFileSync(join(folder, "plan.txt"), "The plan.");
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await chat?.close();
});

/** Runs `hub chat` in a pipe, in a folder with a file `plan.txt`. */
async function hubChat(args: readonly string[], typed: readonly string[], password = "correct horse battery") {
  const program = spawn(process.execPath, [hubProgram, "chat", "--url", edge.url, ...args], {
    cwd: folder,
    env: { ...process.env, HUB_CHAT_PASSWORD: password },
  });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    program[name].on("data", (bytes: Buffer) => {
      printed[name] += bytes;
    });
  program.stdin.on("error", () => undefined).end(typed.map((line) => `${line}\n`).join(""));
  const code = await new Promise((resolve) => program.once("close", resolve));
  return { code, ...printed };
}

/** The conversations of docs/sdk.md: what is called, what is typed, what is printed. */
function conversations() {
  const text = readFileSync(new URL("../../docs/sdk.md", import.meta.url), "utf8");
  return [...text.matchAll(/```console\n\$ hub chat (.*?)\n(.*?)```/gs)].map(([, args = "", block = ""]) => {
    const lines = block.trimEnd().split("\n");
    const [, code = "0"] = /^\(exit code (\d+)\)$/.exec(lines.at(-1) ?? "") ?? [];
    const typed = lines.filter((line) => line.startsWith("> ")).map((line) => line.slice(2));
    const shown = lines.filter((line) => !line.startsWith("> ") && !line.startsWith("(exit code"));
    return { args: args.split(" "), typed, shown, code: Number(code) };
  });
}

test("the conversations of docs/sdk.md go as the page says", async () => {
  const all = conversations();
  expect(all.length).toBe(2);
  for (const { args, typed, shown, code } of all) {
    const printed = await hubChat(args, typed);
    const onStderr = shown.filter((line) => line.startsWith("You are in no room"));
    const onStdout = shown.filter((line) => !onStderr.includes(line));
    const missing = [missingLine(onStdout, printed.stdout), missingLine(onStderr, printed.stderr)];
    expect({ missing, code: printed.code }, printed.stdout + printed.stderr).toEqual({
      missing: [undefined, undefined],
      code,
    });
  }
}, 30_000);

test("two people talk, bring files and page back, as programs see it", async () => {
  const ada = await chat.person(edge, "ada");
  const bob = await chat.person(edge, "bob");
  const { client } = ada.connect();
  const { room } = await client.command("createRoom", { name: "Pipe", members: [bob.user] });
  for (let at = 2; at <= 61; at++) await client.command("postMessage", { room, text: `${at}` });
  const asked = ["/older", "/who", "/file plan.txt", "line \u001b[31mred"];
  const first = await hubChat(["--email", bob.email, "--json", room], asked);
  expect([first.stderr, first.code]).toEqual(["", 0]);
  const said = first.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const numbers = said.flatMap(({ message }) => message?.s ?? []);
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 62 }, (_, at) => at + 2));
  expect(said.at(-1)).toMatchObject({ message: { author: "bob", text: "line \u001b[31mred" } });
  const { files } = said.at(-2).message;
  expect(files).toMatchObject([{ name: "plan.txt", size: 9 }]);

  const second = await hubChat(["--email", ada.email, "Pipe"], [`/get ${files[0].id} got.txt`, "/get nothing got.txt"]);
  expect(readFileSync(join(folder, "got.txt"), "utf8")).toBe("The plan.");
  expect(second.stdout).toContain("Saved got.txt (9 B).");
  expect(second.stdout).toContain("bob: line ·[31mred");
  expect([second.code, second.stderr.trim().split("\n").length]).toEqual([1, 1]);
}, 30_000);

test("says in one line why it can't begin", async () => {
  const wrong = await hubChat(["--email", "nobody@example.org", "--json"], [], "not this one");
  expect([wrong.code, wrong.stdout]).toEqual([1, ""]);
  expect(JSON.parse(wrong.stderr)).toEqual({ error: { code: "WrongCredentials", message: "WrongCredentials" } });
  const unasked = await hubChat(["--email", "nobody@example.org"], [], "");
  expect(unasked.stderr).toBe("No password: set HUB_CHAT_PASSWORD, or run this on a terminal to be asked for it.\n");
});
