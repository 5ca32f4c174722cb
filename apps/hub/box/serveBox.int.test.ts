import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identifyProcess, isRunning, waitFor } from "@connect-hub/runtime";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HubConfig, readConfig } from "../config.ts";
import { type BoxState, isSupervised, readBoxState } from "./boxState.ts";
import { readConnections } from "./connections.ts";
import { type ServingBox, serveBox } from "./serveBox.ts";

const runtime = fileURLToPath(import.meta.resolve("@connect-hub/runtime/app"));
let root: string;
let appsFolder: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-box-"));
  // As root, PostgreSQL runs as an account that must get through.
  chmodSync(root, 0o711);
  // So that the bundles are modules, as those of the checkout.
  writeFileSync(join(root, "package.json"), '{"type": "module"}');
  appsFolder = join(root, "apps");
  // Stand-ins of a few lines: what is tested here is the supervision alone.
  const port = "Number(process.env.HUB_PORT)";
  const door = `const s = createServer((q, r) => r.end("ready")); await new Promise((go) => { s.on("error", go); s.listen(${port}, "127.0.0.1", go); });`;
  // A second one that shares the port in earnest has nothing to do here.
  writeStandIn("edge", `${door} return { close: async () => { s.closeAllConnections(); s.close(); } };`);
  for (const name of ["commands", "projector", "placement"]) {
    writeStandIn(name, "const t = setInterval(() => {}, 1000); return { close: async () => clearInterval(t) };");
  }
  await build({
    entryPoints: [join(root, "*.ts")],
    outdir: appsFolder,
    bundle: true,
    platform: "node",
    format: "esm",
    banner: { js: 'import { createRequire as from } from "node:module"; const require = from(import.meta.url);' },
  });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function writeStandIn(name: string, body: string): void {
  writeFileSync(
    join(root, `${name}.ts`),
    `import { createServer } from "node:http";
     import { runApp } from ${JSON.stringify(runtime)};
     runApp("${name}", async () => { ${body} });`,
  );
}

function configOf(name: string, more: NodeJS.ProcessEnv = {}): HubConfig {
  const ports = { HUB_PORT: "0", HUB_NATS_PORT: "0", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0" };
  return readConfig({ ...ports, ...more }, join(root, name));
}

const quiet = { onProgress: () => {}, signal: new AbortController().signal };

function serve(config: HubConfig): Promise<ServingBox> {
  return serveBox(config, { ...quiet, appsFolder });
}

/** The state once it is as wanted. */
async function stateWhen(dataDir: string, isSo: (state: BoxState) => boolean): Promise<BoxState> {
  const look = () => {
    const state = readBoxState(dataDir);
    return state !== undefined && isSo(state) && state;
  };
  const found = await waitFor(look, { timeoutMs: 20_000 });
  if (found === undefined) throw new Error(`The state stayed ${JSON.stringify(readBoxState(dataDir))}.`);
  return found;
}

describe("a box", () => {
  const config = () => configOf("one");

  test("serves, says what runs, and stops all of it", async () => {
    const box = await serve(config());
    const state = await stateWhen(config().dataDir, ({ phase }) => phase === "ready");
    expect(isSupervised(state)).toBe(true);
    expect(state.servers.map(({ kind, state: its }) => [kind, its])).toEqual([
      ["nats", "ready"],
      ["postgres", "ready"],
      ["valkey", "ready"],
    ]);
    expect(state.processes.map(({ name, state: its }) => [name, its])).toEqual([
      ["edge+commands", "ready"],
      ["projector", "ready"],
      ["placement", "ready"],
    ]);
    expect(await (await fetch(`${state.address}/ready`)).text()).toBe("ready");
    expect(readConnections(config().dataDir).natsLogins.hub?.user).toBe("hub");
    await expect(serve(config())).rejects.toMatchObject({ code: "AlreadyRunning" });
    const pids = [...state.servers, ...state.processes].map(({ pid }) => pid ?? 0);
    await box.close();
    expect(pids.filter((pid) => identifyProcess(pid) !== undefined)).toEqual([]);
  });

  test("starts an edge again when it is frozen, and a server when it is killed", async () => {
    const box = await serve(config());
    const before = await stateWhen(config().dataDir, ({ phase }) => phase === "ready");
    const victims = [before.processes[0], before.servers[0]].map((one) => one?.pid ?? 0);
    for (const [at, pid] of victims.entries()) process.kill(pid, at === 0 ? "SIGSTOP" : "SIGKILL");
    const isBack = (one: { pid: number | null; state: string | null; restarts: number } | undefined) =>
      one?.state === "ready" && one.restarts === 1 && !victims.includes(one.pid ?? 0);
    const after = await stateWhen(config().dataDir, (now) => isBack(now.processes[0]) && isBack(now.servers[0]));
    expect(after.servers[0]?.address).toBe(before.servers[0]?.address);
    expect((await fetch(`${after.address}/ready`)).ok).toBe(true);
    await box.close();
  });

  test("restarts its edges one after another, while the others serve", async () => {
    const box = await serve(configOf("edges", { HUB_EDGES: "2", HUB_PROCESSES: "edge" }));
    const { dataDir } = configOf("edges");
    const before = await stateWhen(dataDir, ({ phase }) => phase === "ready");
    expect(before.processes.map(({ name }) => name)).toEqual(["edge-1", "edge-2"]);
    const ready: number[] = [];
    const looking = setInterval(() => {
      ready.push(readBoxState(dataDir)?.processes.filter(({ state }) => state === "ready").length ?? 0);
    }, 5);
    await box.restartEdges();
    clearInterval(looking);
    const after = await stateWhen(dataDir, ({ processes }) => processes.every(({ state }) => state === "ready"));
    for (const [at, { pid }] of after.processes.entries()) expect(pid).not.toBe(before.processes[at]?.pid);
    expect(Math.min(...ready)).toBe(1);
    await box.close();
  });

  test("beside another in a folder of its own has nothing in common with it", async () => {
    const boxes = await Promise.all([serve(config()), serve(configOf("two"))]);
    expect(new Set(boxes.flatMap(({ connections: { natsUrl, port } }) => [natsUrl, port])).size).toBe(4);
    await Promise.all(boxes.map((box) => box.close()));
  });

  test("names HUB_PORT when it is taken, and leaves nothing running", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? String(address?.port) : "";
    await expect(serve(configOf("one", { HUB_PORT: port }))).rejects.toMatchObject({
      code: "PortInUse",
      message: expect.stringContaining("HUB_PORT="),
    });
    other.close();
  });

  test("tells of an app that can't start by the end of its log, and stops the rest", async () => {
    const broken = join(root, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "projector.js"), 'throw new Error("broken on purpose");');
    const starting = serveBox(configOf("one", { HUB_PROCESSES: "projector" }), { ...quiet, appsFolder: broken });
    await expect(starting).rejects.toMatchObject({
      code: "ServerFailed",
      message: expect.stringContaining("broken on purpose"),
    });
    const again = await serve(config());
    await again.close();
  });
});

test("what a killed supervisor leaves is ended or ends by itself before the next start", async () => {
  const dataDir = join(root, "killed");
  const script = join(root, "supervisor.ts");
  const module = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
  writeFileSync(
    script,
    `import { serveBox } from ${module("./serveBox.ts")};
     import { readConfig } from ${module("../config.ts")};
     void serveBox(readConfig(process.env, ${JSON.stringify(dataDir)}), {
       onProgress: () => {}, signal: new AbortController().signal, appsFolder: ${JSON.stringify(appsFolder)},
     });`,
  );
  const env = { ...process.env, HUB_PORT: "0", HUB_NATS_PORT: "0", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0" };
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", script], {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    env,
    stdio: "inherit",
  });
  const state = await stateWhen(dataDir, ({ phase }) => phase === "ready");
  const left = [...state.servers, ...state.processes].map(({ pid }) => identifyProcess(pid ?? 0));
  const killed = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await killed;
  const box = await serve(configOf("killed"));
  for (const one of left) expect(one === undefined || isRunning(one)).toBe(false);
  await box.close();
}, 60_000);
