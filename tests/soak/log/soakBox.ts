import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { subjects } from "@connect-hub/domain/kernel";
import { connectNats, listLanes } from "@connect-hub/jetstream";
import { appEnvironment, readConnections } from "../../../apps/hub/box/connections.ts";
import { type Box, startBox } from "../../demo/box.ts";
import { type KeptApp, keepApp } from "../../faults/keptApp.ts";
import { inherited, startWhole, waitForEdge } from "../../faults/ownBox.ts";
import { type OwnNatsCluster, startNatsCluster } from "../../setup/natsCluster.ts";
import { type NatsLine, natsLine } from "../../support/natsLine.ts";

/** One of several processes of `commands`, on a line of its own. */
export interface CommandsProcess {
  readonly app: KeptApp;
  readonly line: NatsLine;
}

/** A box with three `commands` and two `projector`, whose processes die where they are told to, `hub` itself too. */
export interface SoakBox {
  readonly box: Box;
  readonly nats: OwnNatsCluster;
  /** The streams of the lanes. */
  readonly streams: readonly string[];
  readonly commands: readonly CommandsProcess[];
  readonly projectors: readonly KeptApp[];
  readonly edge: KeptApp;
  /** Lets the first process that comes by a step for the nth time from now on die there, or stop. */
  arm(step: string, nth: number, how: "kill" | "stop"): void;
  /** Nobody dies there any more. */
  disarm(step: string): void;
  /** Whether that has yet to happen. */
  isArmed(step: string): boolean;
  /** Lets the process go on that stopped at a step. */
  goOn(step: string): void;
  /** What ended otherwise than it was told to. */
  odd(): readonly string[];
  close(): Promise<void>;
}

/** Rooms are in two lanes, so that one process may lead one and another the other. */
const roomLanes = 2;

/** Starts it on one nats-server or three. `onBox` is given what ends it all, before anything is started. */
export async function startSoakBox(size: 1 | 3, onBox: (close: () => Promise<void>) => void): Promise<SoakBox> {
  return startWhole(onBox, (closers) => start(size, closers));
}

async function start(size: 1 | 3, closers: (() => Promise<unknown>)[]): Promise<Omit<SoakBox, "close">> {
  const nats = await startNatsCluster(size, { users: true });
  closers.push(() => nats.close());
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-failpoints-"));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const box = await startBox((end) => closers.push(end), {
    ...nats.env,
    HUB_FAILPOINT_FOLDER: folder,
    HUB_PROCESSES: "placement",
    HUB_ROOM_LANES: String(roomLanes),
    // Room for it is set aside in each server.
    HUB_LANE_BYTES: String(256 * 1024 ** 2),
  });
  const connections = readConnections(box.folder);
  mkdirSync(join(box.folder, "logs"), { recursive: true });
  const keep = (name: "commands" | "projector" | "edge", number: number, natsUrl: string) => {
    const app = keepApp({
      name,
      logFile: join(box.folder, "logs", `${name}.${number}.log`),
      env: {
        ...inherited(),
        ...nats.env,
        ...appEnvironment([name], { ...connections, natsUrl }, box.folder),
        HUB_FAILPOINT_FOLDER: folder,
        HUB_ATTEMPTS_PER_MINUTE: "100000",
        HUB_LOG_LEVEL: "info",
      },
    });
    closers.push(() => app.close());
    return app;
  };
  const commands = await Promise.all(
    [1, 2, 3].map(async (number) => {
      const line = await natsLine(nats.url);
      closers.push(() => line.close());
      return { app: keep("commands", number, line.url), line };
    }),
  );
  const projectors = [1, 2].map((number) => keep("projector", number, nats.url));
  const edge = keep("edge", 1, nats.url);
  const apps = [edge, ...commands.map(({ app }) => app), ...projectors];
  await Promise.all(apps.map((app) => app.ready()));
  await waitForEdge(box.address);
  return {
    box,
    nats,
    streams: await streamsOf(nats),
    commands,
    projectors,
    edge,
    arm: (step, nth, how) => writeFileSync(join(folder, step), how === "stop" ? `${nth} stop` : String(nth)),
    disarm: (step) => rmSync(join(folder, step), { force: true }),
    isArmed: (step) => existsSync(join(folder, step)),
    goOn(step) {
      const path = join(folder, `${step}.stopped`);
      process.kill(Number(readFileSync(path, "utf8")), "SIGCONT");
      rmSync(path);
    },
    odd: () => apps.flatMap(({ odd }) => odd),
  };
}

async function streamsOf({ env }: OwnNatsCluster): Promise<readonly string[]> {
  const { HUB_NATS_URL: url = "", HUB_NATS_USER: user, HUB_NATS_PASSWORD: password } = env;
  const link = await connectNats({ url, user, password, name: "soak", inboxPrefix: "_INBOX_hub" });
  try {
    return (await listLanes(link, "")).map(({ lane, epoch }) => subjects().logStream(lane, epoch));
  } finally {
    await link.close();
  }
}
