import { generateKeyPairSync } from "node:crypto";
import { HeadSigner, type Lane, type SignedHead, signingKeyOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { LogBuilder, memoryVault } from "@connect-hub/domain/testing";
import { openLane } from "@connect-hub/jetstream";
import { verifyLane } from "../../apps/hub/events/verifyLane.ts";
import { freshBox } from "../support/freshBox.ts";
import { alternate, type Bench, benchServers, partOf } from "./bench.ts";
import { idOf, text } from "./senders.ts";

/** As many as take each side a second or more: shorter runs measure how fast the code is compiled. */
const messages = Number(process.env.HUB_BENCH_MESSAGES ?? 300_000);
const perCommit = 20;
const pairs = 11;

/** `hub events verify` with signed heads to hold the log to, against a bare loop that reads the lane and parses it. */
export const verify: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  try {
    const lane = await openLane(box.link, { prefix: box.prefix, id: "rooms.0" });
    say(`writing ${messages} messages …`);
    const heads = await fill(lane);
    const head = await lane.lastNumber();
    const rates = await alternate(pairs, say, {
      ours: () => rateOf(() => ours(lane, heads)),
      bare: () => rateOf(() => bare(lane, head)),
    });
    const more = { unit: "messages/s", commits: head, heads: heads.length };
    return [partOf("verify", { ours: rates.ours, ceiling: rates.bare }, 0.5, more)];
  } finally {
    await box.close();
    await servers.close();
  }
};

async function rateOf(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return messages / ((performance.now() - startedAt) / 1_000);
}

async function ours(lane: Lane, heads: readonly SignedHead[]): Promise<void> {
  const verdict = await verifyLane(lane, { signal: new AbortController().signal, heads });
  if (verdict.fault !== undefined || verdict.heads.checked !== heads.length || verdict.events < messages)
    throw new Error(`the log was not verified: ${JSON.stringify(verdict)}`);
}

async function bare(lane: Lane, head: number): Promise<void> {
  const stop = new AbortController();
  for await (const batch of lane.read(1, stop.signal)) {
    for (const { n, bytes } of batch) {
      JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
      if (n === head) stop.abort();
    }
  }
}

/** Appends messages as their writer would, without deciding anything; the heads that were signed meanwhile. */
async function fill(lane: Lane): Promise<readonly SignedHead[]> {
  const log = new LogBuilder({ lane: lane.id, epoch: lane.epoch, model: roomModel, vault: memoryVault() });
  const key = signingKeyOf(generateKeyPairSync("ed25519").privateKey);
  const signer = new HeadSigner({ lane, key, last: undefined, now: Date.now });
  const heads: SignedHead[] = [];
  const subject = { kind: "room" as const, id: idOf("room", 1) };
  const by = idOf("owner", 1);
  let [s, n] = [1, 0];
  const members = [{ user: by, role: "owner" }];
  const created = { type: "RoomCreated.v1", subject, s, by, data: { type: "group", name: "room", members } };
  const append = async (bytes: Uint8Array): Promise<void> => {
    if ((await lane.append(bytes, n)) !== "stored") throw new Error(`commit ${n + 1} was not stored`);
    n += 1;
  };
  await append(await log.commit([[created]]));
  while (s <= messages) {
    const entries = Array.from({ length: perCommit }, () => {
      s += 1;
      return [{ type: "MessagePosted.v1", subject, s, m: s - 1, by, data: { body: { text } } }];
    });
    await append(await log.commit(entries));
    const head = n % 1_000 === 0 ? await signer.next(new AbortController().signal) : undefined;
    if (head !== undefined) heads.push(head);
  }
  return heads;
}
