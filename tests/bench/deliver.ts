import { fileURLToPath } from "node:url";
import { freePort } from "@connect-hub/runtime";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { type AppProcess, startApps, startScript } from "./appProcess.ts";
import { type Audience, bare, openAudience, ours } from "./audience.ts";
import { type Bench, benchServers, partAtMost, percentile, round } from "./bench.ts";
import { firstOf, makePeople } from "./people.ts";

const members = 200;
const perSecond = 100;
const pairs = 5;
const warmMs = 1_000;
const runMs = 5_000;
const target = 3;
/** As `append` measures them. */
const bytesPerCommand = 1_000;

/** Milliseconds from the send to the delivery, of all deliveries of a run. */
interface Run {
  readonly p50: number;
  readonly p99: number;
}

/**
 * A room of 200, all connected, with 100 messages a second from all of them in turn: from the send to each delivery, against a
 * request, an append to a lane, a publish and a uWS publish that do nothing else, in two processes as ours are.
 */
export const deliver: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), bare: await freePort() };
  const apps = [await startApps(["projector"], box.env)];
  try {
    const { tokens, rooms } = await makePeople(box, members, [firstOf(members)]);
    apps.push(await startApps(["commands"], box.env));
    apps.push(await startApps(["edge"], { ...box.env, HUB_PORT: String(ports.ours) }));
    apps.push(...(await startBare(box, ports.bare)));
    const sides = {
      ours: await openAudience(
        tokens.map((token) => ours(ports.ours, token, rooms[0] ?? "")),
        true,
      ),
      bare: await openAudience(
        tokens.map(() => bare(ports.bare)),
        true,
      ),
    };
    const runs: { readonly ours: Run[]; readonly bare: Run[] } = { ours: [], bare: [] };
    for (let pair = 1; pair <= pairs; pair++) {
      for (const side of ["ours", "bare"] as const) {
        const run = await runOnce(sides[side]);
        runs[side].push(run);
        say(`${pair}/${pairs} ${side}: p50 ${round(run.p50, 2)} ms, p99 ${round(run.p99, 2)} ms`);
      }
    }
    for (const audience of Object.values(sides)) audience.close();
    return (["p50", "p99"] as const).map((figure) => {
      const of = (side: "ours" | "bare") => runs[side].map((run) => run[figure]);
      const figures = { ours: of("ours"), ceiling: of("bare") };
      return partAtMost(`deliver: ${figure}`, figures, target, { unit: "ms from send to delivery" });
    });
  } finally {
    await Promise.all(apps.map((app) => app.close()));
    await box.close();
    await servers.close();
  }
};

async function startBare(box: FreshBox, port: number): Promise<AppProcess[]> {
  const file = fileURLToPath(new URL("bareChat.ts", import.meta.url));
  const env = { BARE_NATS_URL: String(box.env.HUB_NATS_URL), BARE_SUBJECT: `${box.prefix}bare` };
  const writer = await startScript(file, { ...env, BARE_BYTES: String(bytesPerCommand) });
  return [writer, await startScript(file, { ...env, BARE_PORT: String(port) })];
}

async function runOnce(audience: Audience): Promise<Run> {
  await talk(audience, warmMs);
  audience.takeDelays();
  await talk(audience, runMs);
  const delays = audience.takeDelays();
  return { p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) };
}

/** At its times, whether or not what was said before has come. */
async function talk(audience: Audience, ms: number): Promise<void> {
  const began = performance.now();
  for (let sent = 0; sent < (ms / 1_000) * perSecond; sent++) {
    const wait = began + (sent * 1_000) / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    void audience.post(sent);
  }
  await audience.allHeard();
}
