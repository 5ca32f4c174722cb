import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "@connect-hub/runtime";
import { connect, type Session } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import { appEnvironment, readConnections } from "../../../apps/hub/box/connections.ts";
import { type Box, startBox } from "../../demo/box.ts";
import { type KeptApp, keepApp } from "../../faults/keptApp.ts";
import { inherited, startWhole, waitForEdge } from "../../faults/ownBox.ts";
import { type NatsLine, natsLine } from "../../support/natsLine.ts";
import { type TcpLine, tcpLine } from "../../support/tcpLine.ts";
import { enter } from "./account.ts";
import { type BoxLog, openBoxLog } from "./boxLog.ts";
import { type Clients, startClients } from "./clients.ts";
import { EdgeJudge } from "./edgeJudge.ts";

/** A box with two edges on one port, and clients that reach them by lines of ours. */
export interface EdgeBox {
  readonly box: Box;
  readonly edges: readonly KeptApp[];
  /** Between `commands` and NATS: what it publishes live may be lost here. */
  readonly natsLine: NatsLine;
  readonly clients: readonly Clients[];
  readonly rooms: EdgeRooms;
  readonly owner: Session;
  readonly log: BoxLog;
  readonly judge: EdgeJudge;
  /** What ended otherwise than it was told to. */
  odd(): readonly string[];
  close(): Promise<void>;
}

/** Rooms of everybody, and of them: that which one guest is put out of, and that for large posts. */
export interface EdgeRooms {
  readonly rooms: readonly string[];
  readonly door: string;
  readonly loud: string;
}

const names = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"] as const;
/** Names per process of clients. */
const together = 3;

/** Starts it; the clients are connected and rest. `onBox` is given what ends it all, before anything is started. */
export function startEdgeBox(seed: string, onBox: (close: () => Promise<void>) => void): Promise<EdgeBox> {
  return startWhole(onBox, (closers) => start(seed, closers));
}

async function start(seed: string, closers: (() => Promise<unknown>)[]): Promise<Omit<EdgeBox, "close">> {
  const box = await startBox((end) => closers.push(end), { HUB_PROCESSES: "projector,placement" });
  const connections = readConnections(box.folder);
  mkdirSync(join(box.folder, "logs"), { recursive: true });
  const line = await natsLine(connections.natsUrl);
  closers.push(() => line.close());
  const keep = (name: "commands" | "edge", file: string, more: Record<string, string>, natsUrl?: string) => {
    const from = natsUrl === undefined ? connections : { ...connections, natsUrl };
    const env = { ...inherited(), ...appEnvironment([name], from, box.folder), HUB_LOG_LEVEL: "info", ...more };
    const app = keepApp({ name, logFile: join(box.folder, "logs", `${file}.log`), env });
    closers.push(() => app.close());
    return app;
  };
  const commands = keep("commands", "commands.1", {}, line.url);
  const edges = await Promise.all(
    [1, 2].map(async (number) => {
      const metrics = String(await freePort());
      const own = { HUB_NAME: `edge-${number}`, HUB_SHARES_PORT: "1", HUB_METRICS_PORT: metrics };
      return keep("edge", `edge.${number}`, { ...own, HUB_ATTEMPTS_PER_MINUTE: "1000000" });
    }),
  );
  await Promise.all([commands, ...edges].map((app) => app.ready()));
  await waitForEdge(box.address);
  const people = await Promise.all(names.map((name) => enter(box.address, name)));
  const rooms = await makeRooms(box.address, people);
  const log = await openBoxLog(connections);
  closers.push(() => log.close());
  const base = await log.read();
  const lines = await Promise.all([tcpLine(box.address), tcpLine(box.address)]);
  for (const each of lines) closers.push(() => each.close());
  const journalOf = (number: number) => join(box.folder, `clients.${number}.journal`);
  const clients = await Promise.all(
    lines.map((each: TcpLine, index) => {
      const own = people.slice(index * together, (index + 1) * together);
      const writers = own.map(({ name, token, position }, at) => ({
        who: name,
        token,
        position,
        // Somebody of the other process.
        ...(index === 0 && at === 0 && { guest: people[together]?.user ?? "" }),
      }));
      return startClients({ url: each.url, seed, journalFile: journalOf(index + 1), writers, ...rooms }, each);
    }),
  );
  for (const each of clients) closers.push(() => each.close());
  const [owner] = people;
  if (owner === undefined) throw new Error("There is nobody.");
  const users = new Map(people.map(({ name, user }) => [name, user]));
  return {
    box,
    edges,
    natsLine: line,
    clients,
    rooms,
    owner,
    log,
    judge: new EdgeJudge(users, base),
    odd: () => [commands, ...edges].flatMap(({ odd }) => odd),
  };
}

type Person = Session & { readonly name: string };

async function makeRooms(url: string, [first, ...others]: readonly Person[]): Promise<EdgeRooms> {
  if (first === undefined) throw new Error("There is nobody to make a room.");
  const client = connect({ url, token: first.token, WebSocket });
  try {
    const members = others.map(({ user }) => user);
    const make = async (name: string) => (await client.command("createRoom", { name, members })).room;
    return { rooms: [await make("One"), await make("Two")], door: await make("Door"), loud: await make("Loud") };
  } finally {
    client.close();
  }
}
