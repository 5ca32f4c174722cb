import { fileURLToPath } from "node:url";
import { subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { commandSender } from "@connect-hub/jetstream";
import { freePort } from "@connect-hub/runtime";
import { type FreshBox, freshBox } from "../support/freshBox.ts";
import { type AppProcess, startApps, startScript } from "./appProcess.ts";
import { type Bench, benchServers, median, partOf, round } from "./bench.ts";
import { type Listener, openListener } from "./listener.ts";
import { commandOf, idOf, text } from "./senders.ts";

const members = 1_000;
const senders = 10;
const pairs = 5;
const runMs = 4_000;
const password = "a long enough password";

/** What a run of one kind of server gave. */
interface Run {
  readonly perCpuSecond: number;
  /** The same with the CPU of the commands app counted too. */
  readonly withCommands: number;
  readonly perSecond: number;
}

/** One room of 1,000 members, all connected, ten of whom talk: events delivered per CPU second of the edge. */
export const fanout: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const ports = { ours: await freePort(), bare: await freePort() };
  const commands = await startApps(["commands"], box.env);
  const ours = await startApps(["edge"], { ...box.env, HUB_PORT: String(ports.ours) });
  const projector = await startApps(["projector"], box.env);
  const bareFile = fileURLToPath(new URL("bareUws.ts", import.meta.url));
  const bare = await startScript(bareFile, { BARE_PORT: String(ports.bare) });
  try {
    say(`signing ${members} people in …`);
    const { room, tokens } = await crowd(box);
    const listeners = await Promise.all(
      tokens.map((token) => openListener(`ws://127.0.0.1:${ports.ours}/v1/socket`, token)),
    );
    const bareListeners = await Promise.all(tokens.map(() => openListener(`ws://127.0.0.1:${ports.bare}/`)));
    const post = (listener: Listener) => listener.command("postMessage", { room, text });
    const frame = JSON.stringify({
      r: room,
      s: 1_000,
      t: "messagePosted",
      d: { text },
      by: room,
      at: new Date().toISOString(),
    });
    const echo = (listener: Listener) => listener.echo(frame);
    const runs: { ours: Run[]; bare: Run[] } = { ours: [], bare: [] };
    for (let pair = 1; pair <= pairs; pair++) {
      runs.ours.push(await runOnce(listeners, post, [ours, commands]));
      runs.bare.push(await runOnce(bareListeners, echo, [bare]));
      for (const kind of ["ours", "bare"] as const) {
        const run = runs[kind].at(-1);
        say(`${pair}/${pairs} ${kind}: ${run?.perCpuSecond} per CPU second, ${run?.perSecond}/s`);
      }
    }
    for (const listener of [...listeners, ...bareListeners]) listener.close();
    const of = (kind: "ours" | "bare", figure: keyof Run) => runs[kind].map((run) => run[figure]);
    const rates = { ours: of("ours", "perCpuSecond"), ceiling: of("bare", "perCpuSecond") };
    const perSecond = { perSecond: median(of("ours", "perSecond")), barePerSecond: median(of("bare", "perSecond")) };
    const withCommands = median(of("ours", "withCommands"));
    return [partOf("fanout", rates, 0.7, { unit: "deliveries per CPU second", withCommands, ...perSecond })];
  } finally {
    await Promise.all([ours.close(), commands.close(), projector.close(), bare.close()]);
    await box.close();
    await servers.close();
  }
};

async function runOnce(
  listeners: readonly Listener[],
  say: (listener: Listener) => Promise<void>,
  [server, ...others]: readonly [AppProcess, ...AppProcess[]],
): Promise<Run> {
  const delivered = () => listeners.reduce((sum, listener) => sum + listener.events(), 0);
  const all = () => others.reduce((sum, other) => sum + other.cpuSeconds(), server.cpuSeconds());
  const before = { delivered: delivered(), cpu: server.cpuSeconds(), allCpu: all(), at: performance.now() };
  const endsAt = before.at + runMs;
  await Promise.all(
    listeners.slice(0, senders).map(async (listener) => {
      while (performance.now() < endsAt) await say(listener);
    }),
  );
  await quiet(delivered);
  const events = delivered() - before.delivered;
  return {
    perCpuSecond: round(events / (server.cpuSeconds() - before.cpu)),
    withCommands: round(events / (all() - before.allCpu)),
    perSecond: round((events / (performance.now() - before.at)) * 1_000),
  };
}

/** Resolves when nothing has come for a moment. */
async function quiet(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); ) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** People with accounts and sessions, all in one room; made through the lanes, where no attempts are counted. */
async function crowd(box: FreshBox): Promise<{ room: string; tokens: string[] }> {
  const sender = commandSender(box.link, { onMalformed: () => undefined });
  const tell = async (lane: LaneId): Promise<(command: ReturnType<typeof commandOf>) => Promise<unknown>> => {
    const { writer } = await box.nextBeat(lane);
    const subject = subjects(box.prefix).commands(lane, writer);
    return async (command) => {
      const reply = await sender.send(subject, command);
      if (!("ok" in reply)) throw new Error(`${command.kind}: ${JSON.stringify(reply)}`);
      return reply.ok;
    };
  };
  const accounts = await tell("accounts.0");
  const rooms = await tell("rooms.0");
  const room = idOf("fanout", 0);
  const tokens: string[] = [];
  const people = Array.from({ length: members }, (_, index) => idOf("member", index));
  for (let first = 0; first < members; first += 50) {
    await Promise.all(
      people.slice(first, first + 50).map(async (user, k) => {
        const email = `m${first + k}@example.org`;
        await accounts(commandOf("register", "anonymous", user, { email, password, name: `m${first + k}` }));
        const session = idOf("session", first + k);
        const told = (await accounts(commandOf("signIn", "anonymous", session, { email, password }))) as {
          token: string;
        };
        tokens.push(told.token);
        if (user !== people[0]) return;
        await rooms(commandOf("createRoom", user, room, { name: "the forum" }));
      }),
    );
    const [owner = ""] = people;
    const others = people.slice(first, first + 50).filter((user) => user !== owner);
    await Promise.all(others.map((user) => rooms(commandOf("addMember", owner, room, { room, user }))));
  }
  sender.close();
  return { room, tokens };
}
