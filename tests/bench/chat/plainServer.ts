import { createServer } from "node:http";
import pg from "pg";
import { Server } from "socket.io";

// What one writes who needs a chat by tomorrow, by the documentation of socket.io and of pg, with their defaults: a message is
// inserted, then acknowledged and sent to its room. It does the work of ours and no more: who is no member any more posts nothing, a message that
// is sent twice is stored once, and a room has one order.

/** A message as clients get it. */
export interface PlainMessage {
  readonly id: number;
  readonly room: string;
  readonly by: string;
  readonly text: string;
  readonly at: string;
}

type Post = Pick<PlainMessage, "room" | "text"> & { readonly offset: string };

const { PLAIN_URL: url = "", PLAIN_PORT: port = "0" } = process.env;
// As it comes, with 10 clients at most: what they insert at once shares a sync of the disk.
const db = new pg.Pool({ connectionString: url });
const columns = `id::int, room_id as room, author as by, body as text, to_json(at) as at`;
const sql = {
  whose: "select user_id from sessions where token = $1",
  roomsOf: "select room_id from members where user_id = $1",
  isMember: "select 1 from members where room_id = $1 and user_id = $2",
  // From socket.io's page on delivery: the offset that the client gives makes a repeated message harmless.
  post: `insert into messages (room_id, author, body, client_offset) values ($1, $2, $3, $4)
    on conflict (client_offset) do nothing returning ${columns}`,
  again: `select ${columns} from messages where client_offset = $1 and author = $2`,
  after: `select ${columns} from messages where room_id = $1 and messages.id > $2 order by messages.id limit 1000`,
  before: `select ${columns} from messages where room_id = $1 and messages.id < $2 order by messages.id desc limit $3`,
};

async function ask<Row>(name: keyof typeof sql, ...values: readonly unknown[]): Promise<Row[]> {
  return (await db.query(sql[name], [...values])).rows;
}

/** What is under way in each room. */
const lastOf = new Map<string, Promise<unknown>>();

/**
 * One after another in a room: of two inserts at once the later number may be stored first, and would be sent first; who then comes back
 * asks for what follows it and never gets the other.
 */
function inTurn<T>(room: string, work: () => Promise<T>): Promise<T> {
  const turn = (lastOf.get(room) ?? Promise.resolve()).then(work);
  lastOf.set(
    room,
    turn.catch(() => undefined),
  );
  return turn;
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
  socket.on("post", ({ room, text, offset }: Post, answer: (stored: object) => void) =>
    inTurn(room, async () => {
      // `socket.rooms` says who was a member when the socket came.
      const [member] = await ask("isMember", room, user);
      if (member === undefined) return answer({ error: "not in this room" });
      const [message] = await ask<PlainMessage>("post", room, user, text, offset);
      const [stored] = message === undefined ? await ask<PlainMessage>("again", offset, user) : [message];
      answer({ id: stored?.id, at: stored?.at });
      if (message !== undefined) io.to(room).emit("messages", [message]);
    }),
  );
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
