import { readCommandsConfig, startCommands } from "@connect-hub/commands";
import { type Command, derivedId, subjects } from "@connect-hub/domain/kernel";
import { commandSender, openLane } from "@connect-hub/jetstream";
import { readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { expect, inject, test, vi } from "vitest";
import { onOwnNats } from "./setup/onNats.ts";
import { openTestPool } from "./setup/testDatabase.ts";
import { freshBox } from "./support/freshBox.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
let ids = 0;

function command(kind: Command["kind"], actor: string, subject: string, data: Command["data"]): Command {
  ids += 1;
  const key = { actor, id: derivedId(Date.now(), "test", String(ids)) };
  return { key, kind, subject, data, deadlineAt: 0 };
}

onOwnNats((nats) => {
  test("what people write while the leader of their lane's log dies is stored once, in order, and projected once", async () => {
    const { url: natsUrl, size: replicas } = nats();
    const box = await freshBox({ natsUrl, replicas, postgresUrl: inject("postgresUrl") });
    const env = { ...box.env, HUB_LOG_LEVEL: "silent" };
    const commands = await startCommands(readCommandsConfig(env));
    const projectors = await startProjectors(readProjectorConfig(env));
    const sender = commandSender(box.link, { onMalformed: () => undefined });
    const pool = openTestPool(box.databaseUrl);
    const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
    const writers = new Map<string, string>();

    /** As a client: the same command until it is answered, to whom the lane has. */
    async function untilDone(id: "accounts.0" | "rooms.0", one: Command): Promise<number> {
      for (;;) {
        const writer = writers.get(id) ?? (await box.nextBeat(id)).writer;
        writers.set(id, writer);
        const subject = subjects(box.prefix).commands(id, writer);
        const reply = await sender.send(subject, { ...one, deadlineAt: Date.now() + 5_000 });
        if ("ok" in reply) return Number((reply.ok as { readonly s?: number }).s);
        expect(["Busy", "DeadlinePassed", "LaneMoved", "Unavailable"]).toContain(reply.refused.code);
        writers.delete(id);
      }
    }

    const credentials = { email: "ana@example.org", password: "correct horse", name: "Ana" };
    await untilDone("accounts.0", command("register", "anonymous", ana, credentials));
    await untilDone("rooms.0", command("createRoom", ana, room, { name: "den" }));
    const posts = Array.from({ length: 100 }, (_, i) => command("postMessage", ana, room, { room, text: `${i}` }));
    const stream = subjects(box.prefix).logStream("rooms.0", lane.epoch);
    const leader = (await nats().leaderOf(stream)) ?? 0;
    const numbers: number[] = [];
    for (const [at, post] of posts.entries()) {
      if (at === 50) await nats().killOne(leader);
      numbers.push(await untilDone("rooms.0", post));
    }
    expect(numbers).toEqual(posts.map((_, at) => at + 2));
    // A repeated command is told what the first was told, and changes nothing.
    expect(await untilDone("rooms.0", posts[50] ?? expect.unreachable())).toBe(52);
    const stored = async () =>
      (await pool.query<{ s: string }>("select s from chat.messages where s > 1 order by s")).rows;
    await vi.waitFor(async () => expect((await stored()).map(({ s }) => Number(s))).toEqual(numbers), 20_000);
    sender.close();
    await Promise.all([pool.end(), projectors.close(), commands.close()]);
    await box.close();
  }, 60_000);
});
