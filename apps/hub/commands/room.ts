import { laneOf } from "@connect-hub/domain/kernel";
import { kyselyOver, orUnavailable } from "@connect-hub/postgres";
import { type AuthTables, peopleByIds } from "@connect-hub/projections";
import { type Command, InvalidArgumentError } from "commander";
import { readConnections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { anId, eventNumber, instant } from "../events/filterOptions.ts";
import { withVault } from "../events/reveal.ts";
import { type MessageAsOf, type RoomAsOf, roomAsOf, type Until } from "../events/roomAsOf.ts";
import { withLanes } from "../lanes.ts";
import { withReadTables } from "../readTables.ts";
import { textTable } from "../table.ts";
import { untilSignal } from "../untilSignal.ts";

interface ShowOptions {
  readonly at?: Until;
  readonly json?: true;
}

/** `hub room show`: a room as it was at any time. */
export function registerRoom(program: Command, context: CommandContext): void {
  program
    .command("room")
    .description("rooms, as the log has them")
    .command("show")
    .description("print a room as it was: its name, its members, its messages, also those that were deleted later")
    .argument("<id>", "the room", anId)
    .option("--at <moment>", "the number of an event of the room, or an instant (default: now)", moment)
    .option("--json", "for programs")
    .action((id: string, { at, json }: ShowOptions) =>
      withLanes(context, undefined, async (lanes) => {
        const { signal, release } = untilSignal();
        try {
          const rooms = lanes.filter((each) => each.id.startsWith("rooms."));
          const lane = rooms.find((each) => each.id === laneOf("rooms", id, rooms.length));
          if (lane === undefined) throw new Error("every room has a lane");
          const connections = readConnections(context.config().dataDir);
          const room = await withVault(connections, (vault) => roomAsOf(id, at, { lane, vault, signal }));
          console.log(json === true ? JSON.stringify(room, undefined, 2) : await roomText(room, context));
        } finally {
          release();
        }
      }),
    );
}

function moment(text: string): Until {
  if (/^\d+$/.test(text)) return { s: eventNumber(text) };
  if (/^\d{4}-/.test(text)) return { ms: instant(text) };
  throw new InvalidArgumentError(
    "say the number of an event of the room, from 1 on, or an instant: 2026-11-23T10:00:00Z.",
  );
}

async function roomText({ room, s, at, type, name, members, messages }: RoomAsOf, context: CommandContext) {
  const people = await namesOf([...members.map(({ user }) => user), ...messages.map(({ by }) => by)], context);
  const called = (id: string): string => people.get(id) ?? id;
  return [
    `${name ?? "(no name)"}: ${type} ${room} at event ${s}, ${at}`,
    textTable(
      ["member", "role", "since event"],
      members.map(({ user, role, joinedS }) => [called(user), role, String(joinedS)]),
    ),
    textTable(
      ["event", "sent", "by", "message"],
      messages.map((message) => [String(message.s), message.at, called(message.by), messageText(message)]),
    ),
  ].join("\n");
}

function messageText({ type, status, text, erased, data }: MessageAsOf): string {
  if (type !== "message") return `(${type}) ${JSON.stringify(data)}`;
  if (erased) return "(erased)";
  if (status === "deleted") return "(deleted)";
  return status === "edited" ? `${text} (edited)` : String(text);
}

/** The present names of people; of nobody when the tables can't be asked. */
async function namesOf(ids: readonly string[], context: CommandContext): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  await withReadTables(context, async (tables) => {
    const auth = tables.find(({ name }) => name === "accounts");
    if (auth === undefined) return;
    for (const { id, name } of await orUnavailable(() => peopleByIds(kyselyOver<AuthTables>(auth.pool), ids)))
      if (name !== null) names.set(id, name);
  }).catch(() => undefined);
  return names;
}
