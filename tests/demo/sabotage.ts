import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPool } from "@connect-hub/postgres";
import type { RunningSshd } from "@connect-hub/runtime";
import { filesIn } from "../support/boxNodes.ts";
import type { Box } from "./box.ts";
import { localHashes } from "./fileFindings.ts";
import { aimAt } from "./kill.ts";
import type { Brought } from "./library.ts";

/** What `--break` may do behind the system's back. */
export const sabotages = ["lose", "double", "corrupt", "reorder", "bytes"] as const;
export type Sabotage = (typeof sabotages)[number];

/** The newest event of a room; each scene ends with a message. */
const newest = "select max(s) from chat.messages where room_id = $1 and type = 'message' and status = 'sent'";

/** Each is what a faulty system could have done by itself, so that nothing else in the tables contradicts it. */
const statements: { readonly [kind in Exclude<Sabotage, "bytes">]: readonly string[] } = {
  // The newest message was never there.
  lose: [
    `delete from chat.room_events where room_id = $1 and s = (${newest})`,
    `delete from chat.messages where room_id = $1 and s = (${newest})`,
    "update chat.rooms set s = s - 1, m = m - 1 where id = $1",
  ],
  // The newest message was applied twice.
  double: [
    `insert into chat.room_events (room_id, s, type, data, at, by)
     select room_id, s + 1, type, data, at, by from chat.room_events where room_id = $1 and s = (${newest})`,
    `insert into chat.messages (id, room_id, s, m, data, sent_at, sent_by, type, status)
     select room_id || ':' || (s + 1), room_id, s + 1, m + 1, data, sent_at, sent_by, type, status
     from chat.messages where room_id = $1 and s = (${newest})`,
    "update chat.rooms set s = s + 1, m = m + 1 where id = $1",
  ],
  // One text is not what was sent.
  corrupt: [
    `update chat.room_events set data = jsonb_set(data, '{text}', '"Words, words, words."') where room_id = $1 and s = (${newest})`,
    `update chat.messages set data = jsonb_set(data, '{text}', '"Words, words, words."') where room_id = $1 and s = (${newest})`,
  ],
  // The newest message and the one before it changed places.
  reorder: [
    `update chat.room_events it set data = other.data, by = other.by, at = other.at from chat.room_events other
     where it.room_id = $1 and other.room_id = $1 and it.s + other.s = 2 * (${newest}) - 1
       and it.s in ((${newest}), (${newest}) - 1)`,
    `update chat.messages it set data = other.data, sent_by = other.sent_by, sent_at = other.sent_at from chat.messages other
     where it.room_id = $1 and other.room_id = $1 and it.s + other.s = 2 * (${newest}) - 1
       and it.s in ((${newest}), (${newest}) - 1)`,
  ],
};

/** Does it in the read tables, and lets the edge forget what it has in memory, so that it shows what the tables say. */
export async function breakBox(box: Box, kind: Exclude<Sabotage, "bytes">, room: string): Promise<void> {
  await breakTables(box, kind, room);
  const edge = await aimAt(box, "edge");
  edge.kill();
  await edge.isBack();
}

/** Does it in the read tables alone. */
export async function breakTables(box: Box, kind: Exclude<Sabotage, "bytes">, room: string): Promise<void> {
  const connections: { readonly chatUrl: string } = JSON.parse(
    readFileSync(join(box.folder, "run/connections.json"), "utf8"),
  );
  const pool = openPool(connections.chatUrl, { name: "demo", max: 1 });
  try {
    for (const statement of statements[kind]) {
      const { rowCount } = await pool.query(statement, [room]);
      if (rowCount === 0) throw new Error(`The sabotage found nothing to do: ${statement}`);
    }
  } finally {
    await pool.end();
  }
}

/** Changes one byte of a file that the server has, and one of a file that nodes alone have, on each of them. */
export async function breakBytes(box: Box, nodes: readonly RunningSshd[], brought: readonly Brought[]): Promise<void> {
  const local = new Set(localHashes(box));
  const [here, away] = [true, false].map((isLocal) =>
    brought.find(({ hash, real }) => real.size > 0 && local.has(hash) === isLocal),
  );
  if (here === undefined || away === undefined)
    throw new Error("The sabotage found no file on the server, or none away.");
  flipByte(join(box.folder, "content/blobs", here.hash.slice(0, 2), here.hash));
  // A node knows a file by a name that does not tell its hash; its size and bytes do.
  const copies = nodes.flatMap(({ folder }) =>
    filesIn(join(folder, "blobs")).flatMap(({ name, size }) => {
      const path = join(folder, "blobs", name);
      return size === away.real.size && sha256(path) === away.hash ? [path] : [];
    }),
  );
  if (copies.length === 0) throw new Error("The sabotage found no copy on a node.");
  for (const path of copies) flipByte(path);
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const at = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}
