import type { LaneId } from "@connect-hub/domain/values";
import { type PastState, pastOf } from "@connect-hub/jetstream";
import { oneAtATime, openDataFolder } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import { type ArchivedLane, archiveLanes } from "../archiveLanes.ts";
import { progressBars } from "../backup/progressBars.ts";
import { assertNoRestore } from "../backup/restoreMarker.ts";
import { type Connections, connectionsOfRunning } from "../box/connections.ts";
import { lanesOf } from "../box/migrate.ts";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { inBytes } from "../inBytes.ts";
import { chosenLanes, connectAsOperator, connectAsWriter } from "../lanes.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";

interface Options {
  readonly all?: true;
  readonly json?: true;
}

/** `hub archive`: moves what is old in the log from NATS to files, and says what lies there. */
export function registerArchive(program: Command, context: CommandContext): void {
  program
    .command("archive")
    .description("move a lane's commits to files of the archive, while people go on; without a lane: what lies there")
    .argument("[lane]", "the lane, for example rooms.0")
    .option("--all", "every lane, one after another")
    .option("--json", "for programs")
    .action(async (lane: string | undefined, options: Options) => {
      if (lane !== undefined && options.all) throw new BadSetting("Name a lane, or say --all, not both.");
      const { dataDir } = context.config();
      const connections = connectionsOfRunning(dataDir);
      const lanes = chosenLanes(lanesOf(connections.roomLanes), lane);
      assertNoRestore(dataDir);
      if (lane !== undefined || options.all) {
        // Another one that is at it does the same.
        const folder = openDataFolder(dataDir);
        await oneAtATime(folder, "archive", () => archive(connections, lanes, options), 0);
      } else if (!(await show(connections, lanes, options))) context.exitWith(exitCodes.failed);
    });
}

async function archive(connections: Connections, lanes: readonly LaneId[], { json }: Options): Promise<void> {
  const { signal, release } = untilSignal();
  const bars = progressBars(json === true);
  const admin = await connectAsOperator(connections);
  try {
    const writer = await connectAsWriter(connections);
    try {
      const done = await archiveLanes(lanes, { connections, admin, writer, signal, onProgress: bars.show });
      bars.end();
      console.log(json === true ? JSON.stringify(done, undefined, 2) : archivedText(done, connections));
    } finally {
      await writer.close();
    }
  } catch (error) {
    // A lane whose epoch is closed goes on being read from NATS until its file is whole.
    if (signal.aborted)
      throw new Error("Stopped; nothing is lost. How far it is: npm run hub -- archive", { cause: error });
    throw error;
  } finally {
    bars.end();
    release();
    await admin.close();
  }
}

function archivedText(done: readonly ArchivedLane[], { archiveDir }: Connections): string {
  const rows = done.flatMap(({ lane, archived }) =>
    archived.map(({ first, last, file }) => [lane, `${first}–${last}`, inBytes(file.size), file.name]),
  );
  return `${textTable(["lane", "commits", "size", "file"], rows)}\nIn ${archiveDir}; it belongs in your backups as the log does.`;
}

interface LanePast {
  readonly lane: LaneId;
  readonly past: readonly PastState[];
}

/** Whether all that must be there is. */
async function show(connections: Connections, lanes: readonly LaneId[], { json }: Options): Promise<boolean> {
  const { prefix, archiveDir } = connections;
  const link = await connectAsOperator(connections);
  try {
    const all = await Promise.all(
      lanes.map(async (lane) => ({ lane, past: await pastOf(link, { prefix, lane, archiveDir }) })),
    );
    console.log(json === true ? JSON.stringify(all, undefined, 2) : pastText(all));
    return all.every(({ past }) => past.every(({ fault }) => fault === null));
  } finally {
    await link.close();
  }
}

function pastText(all: readonly LanePast[]): string {
  const rows = all.flatMap(({ lane, past }) =>
    past.map(({ first, last, file, bytes, fault }) => [
      lane,
      `${first}–${last}`,
      inBytes(bytes),
      file ?? `still in NATS: npm run hub -- archive ${lane}`,
      fault ?? "",
    ]),
  );
  if (rows.length === 0) return "No lane has commits in the archive. See: npm run hub -- archive --help";
  return textTable(["lane", "commits", "size", "where", "trouble"], rows);
}
