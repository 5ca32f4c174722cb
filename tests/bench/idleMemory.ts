import { fileURLToPath } from "node:url";
import { freePort } from "@connect-hub/runtime";
import { freshBox } from "../support/freshBox.ts";
import { type AppProcess, startApps, startScript } from "./appProcess.ts";
import { bare, type Dialect, openAudience, ours } from "./audience.ts";
import { type Bench, benchServers, median, round } from "./bench.ts";
import { makePeople } from "./people.ts";

const connections = 5_000;
const rooms = 2_000;
const roomsEach = 20;
const mostBytes = 8 * 1024;
/** Connections of a round before, so that what any number of them needs once is not counted. */
const warmConnections = 50;
/** What a sign-in leaves behind is let go of in this time, or it counts. */
const settleMs = 60_000;
const sampleMs = 20_000;

/**
 * 5,000 people who are signed in and do nothing but beat every 10 s as the protocol asks, each in 20 rooms of 2,000: memory of the edge as the system sees it, after less before.
 * Beside it the same with a uWS server that knows nobody.
 */
export const idleMemory: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), bare: await freePort() };
  const apps = [await startApps(["projector"], box.env)];
  try {
    say(`making ${connections} people and ${rooms} rooms …`);
    const { tokens } = await makePeople(box, connections, membersOfRooms());
    apps.push(await startApps(["commands"], box.env));
    const edge = await startApps(["edge"], { ...box.env, HUB_PORT: String(ports.ours) });
    const uws = await startScript(fileURLToPath(new URL("bareUws.ts", import.meta.url)), {
      BARE_PORT: String(ports.bare),
      BARE_TOPICS: String(rooms),
      BARE_TOPICS_OF_SOCKET: String(roomsEach),
    });
    apps.push(edge, uws);
    const mine = tokens.map((token) => ours(ports.ours, token, ""));
    const bytes = await bytesEach(edge, mine, (line) => say(`ours: ${line}`));
    const theirs = tokens.map(() => bare(ports.bare));
    const bareUws = await bytesEach(uws, theirs, (line) => say(`bare uWS: ${line}`));
    const more = { unit: "bytes of resident memory per connection", bareUws };
    const ratio = round(bytes / mostBytes, 3);
    return [
      { name: "idle-memory", ours: bytes, ceiling: mostBytes, ratio, target: 1, ok: bytes <= mostBytes, ...more },
    ];
  } finally {
    await Promise.all(apps.map((app) => app.close()));
    await box.close();
    await servers.close();
  }
};

/** Each person in 20 rooms that lie far apart. */
function membersOfRooms(): number[][] {
  const members = Array.from({ length: rooms }, (): number[] => []);
  for (let person = 0; person < connections; person++)
    for (let k = 0; k < roomsEach; k++) members[(person * 7 + k * 101) % rooms]?.push(person);
  return members;
}

/** Bytes that each of the connections keeps of the server's memory. */
async function bytesEach(
  server: AppProcess,
  dialects: readonly Dialect[],
  say: (line: string) => void,
): Promise<number> {
  const first = await openAudience(dialects.slice(0, warmConnections));
  await pause(settleMs / 4);
  first.close();
  const before = await settled(server);
  say(`${round(before / 1024 / 1024)} MiB before`);
  const audience = await openAudience(dialects);
  audience.beat();
  const after = await settled(server);
  audience.close();
  const each = round((after - before) / dialects.length);
  say(`${round(after / 1024 / 1024)} MiB after: ${each} bytes each`);
  return each;
}

/** What it has in the middle of a while, once it has had its time. */
async function settled(server: AppProcess): Promise<number> {
  await pause(settleMs);
  const samples: number[] = [];
  for (const endsAt = performance.now() + sampleMs; performance.now() < endsAt; await pause(500))
    samples.push(server.bytes());
  return median(samples);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
