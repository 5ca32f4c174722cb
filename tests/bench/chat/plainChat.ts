import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPool } from "@connect-hub/postgres";
import { freePort, startServer } from "@connect-hub/runtime";
import { startScript } from "../appProcess.ts";
import { cpuSecondsOf } from "../processCpu.ts";
import { idOf } from "../senders.ts";
import type { Chat } from "./chat.ts";
import { openPlainClient } from "./plainClient.ts";

const schema = `
  create table sessions (token text primary key, user_id uuid not null);
  create table members (room_id uuid, user_id uuid, primary key (user_id, room_id));
  create table messages (
    id bigint generated always as identity primary key, room_id uuid not null, author uuid not null,
    body text not null, client_offset text not null unique, at timestamptz not null default now()
  );
  create index on messages (room_id, id);`;

/** Starts the plain chat with a Postgres of its own, as ours is set, with fsync. `rooms` are the numbers of the people in each. */
export async function startPlainChat(people: number, rooms: readonly (readonly number[])[]): Promise<Chat> {
  const dataDir = mkdtempSync(join(tmpdir(), "connect-hub-plain-"));
  const postgres = await startServer("postgres", { dataDir });
  const pool = openPool(postgres.url, { name: "bench", max: 1 });
  await pool.query(schema);
  const person = (index: number): string => idOf("person", index);
  const all = Array.from({ length: people }, (_, index) => index);
  await pool.query("insert into sessions select * from unnest($1::text[], $2::uuid[])", [
    all.map((index) => `token ${index}`),
    all.map(person),
  ]);
  const made = rooms.map((numbers, index) => ({ id: idOf("room", index), people: numbers }));
  for (const { id, people: members } of made)
    await pool.query("insert into members select $1, unnest($2::uuid[])", [id, members.map(person)]);
  const port = await freePort();
  const server = await startScript(fileURLToPath(new URL("plainServer.ts", import.meta.url)), {
    NODE_ENV: "production",
    PLAIN_URL: postgres.url,
    PLAIN_PORT: String(port),
  });
  return {
    rooms: made,
    open: (index, options) => openPlainClient(`ws://127.0.0.1:${port}`, `token ${index}`, options),
    settled: async () => undefined,
    cpuSeconds: () => server.cpuSeconds() + cpuSecondsOf(postgres.process?.pid ?? 0),
    async close() {
      await server.close();
      await pool.end();
      await postgres.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
