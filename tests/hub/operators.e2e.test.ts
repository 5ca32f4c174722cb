import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { connect, register, signIn } from "@connect-hub/sdk";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { runCli } from "../../apps/hub/cli.ts";
import { consoleBlocks, missingLine, type ShownCommand } from "../support/consoleBlocks.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const document = join(checkout, "docs/operators.md");

/** What the document calls by a name. */
const names: { [name: string]: string } = {};

beforeAll(() => {
  // As root the servers run as somebody else, who has to get in.
  for (const name of ["BOX", "ELSEWHERE"]) {
    names[name] = mkdtempSync(join(tmpdir(), "connect-hub-operators-"));
    chmodSync(names[name], 0o711);
  }
  for (const port of ["HUB_PORT", "HUB_NATS_PORT", "HUB_POSTGRES_PORT", "HUB_VALKEY_PORT"]) vi.stubEnv(port, "0");
  vi.stubEnv("HUB_HEADS_MS", "200");
});

afterAll(async () => {
  await hub(["down"]);
  vi.unstubAllEnvs();
  for (const name of ["BOX", "ELSEWHERE"]) rmSync(names[name] ?? "", { recursive: true, force: true });
});

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line as a shell would: words, names, and `>` for a file. */
async function run(line: string): Promise<Printed> {
  const words = line.split(" ").map((word) => word.replace(/\$([A-Z]+)/g, (_, name) => names[name] ?? `$${name}`));
  const [program, ...all] = words;
  const arrow = all.indexOf(">");
  const args = arrow === -1 ? all : all.slice(0, arrow);
  const printed = program === "hub" ? await hub(args) : await other(program ?? "", args);
  if (arrow !== -1) writeFileSync(all[arrow + 1] ?? "", printed.stdout);
  return printed;
}

/** In this process: to load everything anew takes longer than what most commands do. */
async function hub(args: readonly string[]): Promise<Printed> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => void stdout.push(`${text}\n`));
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => stdout.push(String(text)) > 0);
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => stderr.push(String(text)) > 0);
  try {
    const code = await runCli(args, { ...process.env, HUB_DATA: names.BOX });
    return { code, stdout: stdout.join(""), stderr: stderr.join("") };
  } finally {
    for (const spy of [log, out, err]) spy.mockRestore();
  }
}

async function other(program: string, args: readonly string[]): Promise<Printed> {
  const ended = promisify(execFile)(program === "node" ? process.execPath : program, args, { cwd: checkout });
  return ended.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

/** People who talk in the box: what the document looks at. */
async function talk(): Promise<void> {
  const { address: url } = JSON.parse((await hub(["status", "--json"])).stdout);
  const ada = { url, email: "ada@example.org", password: "a long enough password" };
  await register({ ...ada, name: "Ada" });
  const { user, token, position } = await signIn(ada);
  const client = connect({ url, token, position, WebSocket });
  const { room } = await client.command("createRoom", { name: "Engines" });
  for (const text of ["Good morning.", "Is anybody here?", "Then I talk to myself."])
    await client.command("postMessage", { room, text });
  client.close();
  Object.assign(names, { ROOM: room, ACCOUNT: user });
  const heads = async () => JSON.parse((await hub(["events", "heads", "--json"])).stdout);
  const signed = expect.arrayContaining([expect.objectContaining({ lane: "rooms.0", size: 4 })]);
  await vi.waitFor(async () => expect(await heads()).toEqual(signed), { timeout: 60_000, interval: 200 });
  await hub(["wait-caught-up"]);
}

function problemOf({ line, command, output, exitCode }: ShownCommand, { code, stdout, stderr }: Printed) {
  const missing = missingLine(output, stdout + stderr);
  if (code === exitCode && missing === undefined) return undefined;
  return { line, command, code, missing, stdout, stderr };
}

test("the commands in docs/operators.md end and print as it says", async () => {
  const problems: unknown[] = [];
  for (const shown of consoleBlocks(readFileSync(document, "utf8"))) {
    const printed = await run(shown.command);
    if (process.env.OPERATORS_SHOW)
      process.stderr.write(`$ ${shown.command}\n${printed.stdout}${printed.stderr}(exit code ${printed.code})\n`);
    const problem = problemOf(shown, printed);
    if (problem !== undefined) problems.push(problem);
    if (shown.command === "hub up") await talk();
  }
  expect(problems).toEqual([]);
});
