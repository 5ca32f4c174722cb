import { createServer } from "node:http";
import pg from "pg";
import { Server } from "socket.io";

// What one writes who needs a chat by tomorrow: socket.io before Postgres. A message is inserted, then acknowledged and
// sent to its room.

/** A message as clients get it. */
export interface PlainMessage {
  readonly id: number;
  readonly room: string;
  readonly by: string;
  readonly text: string;
  readonly at: string;
}

const { PLAIN_URL: url = "", PLAIN_PORT: port = "0" } = process.env;
// A client for each of 20 senders: what they insert at once shares a sync of the disk.
const db = new pg.Pool({ connectionString: url, max: 20 });
const columns = `id::int, room_id as room, author as by, body as text, to_json(at) as at`;
const sql = {
  whose: "select user_id from sessions where token = $1",
  roomsOf: "select room_id from members where user_id = $1",
  post: `insert into messages (room_id, author, body) values ($1, $2, $3) returning ${columns}`,
  after: `select ${columns} from messages where room_id = $1 and messages.id > $2 order by messages.id limit 1000`,
  before: `select ${columns} from messages where room_id = $1 and messages.id < $2 order by messages.id desc limit $3`,
};

/** Each statement is prepared once a connection. */
async function ask<Row>(name: keyof typeof sql, ...values: readonly unknown[]): Promise<Row[]> {
  return (await db.query({ name, text: sql[name], values: [...values] })).rows;
}

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.use((socket, next) => {
  const { token, last = {} } = socket.handshake.auth as { token: string; last?: { [room: string]: number } };
  enter(token).then(({ user, rooms }) => {
    Object.assign(socket.data, { user, rooms, last });
    next();
  }, next);
});

async function enter(token: string): Promise<{ user: string; rooms: readonly string[] }> {
  const [session] = await ask<{ user_id: string }>("whose", token);
  if (session === undefined) throw new Error("sign in");
  const rooms = await ask<{ room_id: string }>("roomsOf", session.user_id);
  return { user: session.user_id, rooms: rooms.map(({ room_id }) => room_id) };
}

io.on("connection", (socket) => {
  const { user, rooms, last } = socket.data as { user: string; rooms: string[]; last: { [room: string]: number } };
  void socket.join(rooms);
  for (const [room, id] of Object.entries(last)) {
    if (!socket.rooms.has(room)) continue;
    void ask<PlainMessage>("after", room, id).then((missed) => socket.emit("messages", missed));
  }
  socket.on("post", async ({ room, text }: PlainMessage, answer: (stored: object) => void) => {
    if (!socket.rooms.has(room)) return answer({ error: "not in this room" });
    const [message] = await ask<PlainMessage>("post", room, user, text);
    answer({ id: message?.id, at: message?.at });
    io.to(room).emit("messages", [message]);
  });
  type Page = { room: string; before?: number; limit: number };
  socket.on("history", async ({ room, before, limit }: Page, answer: (page: object) => void) => {
    if (!socket.rooms.has(room)) return answer([]);
    const page = await ask<PlainMessage>("before", room, before ?? 2_147_483_647, Math.min(limit, 200));
    answer(page.reverse());
  });
});

http.listen(Number(port), "127.0.0.1", () => process.send?.("ready"));
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
