import { openPool, type PostgresPool } from "@connect-hub/postgres";
import { type Bench, median, partAtMost, round } from "./bench.ts";
import { comeBack } from "./chat/comeBack.ts";
import { type Crowd, disperse, gather } from "./chat/crowd.ts";
import { startHubChat } from "./chat/hubChat.ts";
import { firstOf } from "./people.ts";

/** In each room one stays and sends; all others go and come back. */
const rooms = 25;
const awayPerRoom = 20;
const missed = 100;
const pairs = 5;
/** Connections to Postgres of the bare reader; as many as `pg` has by default. */
const connections = 10;

/**
 * 500 clients, each 100 messages behind, all back at once: the time from the first attempt to connect until each has all it missed, against a bare
 * Node process that asks Postgres for the same rows, once for each client.
 */
export const catchUp: Bench = async (say) => {
  const perRoom = awayPerRoom + 1;
  const members = Array.from({ length: rooms }, (_, room) => firstOf(perRoom).map((k) => room * perRoom + k));
  say(`signing ${rooms * perRoom} people in …`);
  const chat = await startHubChat(rooms * perRoom, members);
  const pool = openPool(chat.box.databaseUrl, { name: "bare", max: connections });
  try {
    const crowd = await gather(chat, chat.rooms);
    const ms = { ours: [] as number[], ceiling: [] as number[] };
    let lost = 0;
    for (let pair = 1; pair <= pairs; pair++) {
      const back = await comeBack(crowd, missed);
      lost += back.lost + back.misordered;
      ms.ours.push(back.ms);
      ms.ceiling.push(await bareRead(pool, crowd));
      say(`${pair}/${pairs} ours: ${round(back.ms)} ms, bare: ${round(median(ms.ceiling.slice(-1)))} ms`);
    }
    disperse(crowd);
    const part = partAtMost("catch-up", ms, 5, { unit: "ms", lost });
    return [{ ...part, ok: part.ok && lost === 0 }];
  } finally {
    await pool.end();
    await chat.close();
  }
};

const bareRows = {
  name: "missed",
  text: "select s, type, data, at, by from chat.room_events where room_id = $1 and s > $2 order by s limit $3",
};

/** How long it takes to have the rows of all clients that were away. */
async function bareRead(pool: PostgresPool, { rooms: all }: Crowd): Promise<number> {
  const wanted = all.flatMap(({ id, clients: [, ...away] }) =>
    away.map((client) => ({ id, after: (client.cursor().get(id)?.number ?? 0) - missed })),
  );
  const beganAt = performance.now();
  await Promise.all(
    wanted.map(async ({ id, after }) => {
      const { rows } = await pool.query({ ...bareRows, values: [id, after, missed] });
      if (rows.length !== missed) throw new Error(`${rows.length} of ${missed} rows are there`);
    }),
  );
  return performance.now() - beganAt;
}
