import { freePort } from "@connect-hub/runtime";
import { register, signIn } from "@connect-hub/sdk";
import { freshBox } from "../support/freshBox.ts";
import { type AppProcess, startApps } from "./appProcess.ts";
import { type Bench, benchServers, percentile, round } from "./bench.ts";
import { type Listener, newKey, openListener } from "./listener.ts";

const people = 20;
const writesPerSecond = 500;
const everyMs = 10;
const warmMs = 2_000;
const runMs = 10_000;
/** What is asked for: half of the queries are answered within this. */
const targetMs = 50;

/** Somebody who writes at one edge and asks at another. */
interface Writer {
  readonly at: Listener;
  readonly askAt: Listener;
  readonly room: string;
}

/**
 * 500 writes a second; behind each one a query, at another edge, with the position that the write was answered with. The query must
 * show the write. Its time is from the answer of the write to that of the query.
 */
export const readYourWrites: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const apps: AppProcess[] = [];
  try {
    apps.push(await startApps(["commands"], box.env), await startApps(["projector"], box.env));
    const ports = [await freePort(), await freePort()];
    for (const port of ports) {
      const env = { ...box.env, HUB_PORT: String(port), HUB_ATTEMPTS_PER_MINUTE: "100000" };
      apps.push(await startApps(["edge"], env));
    }
    say(`signing ${people} people in …`);
    const writers = await Promise.all(Array.from({ length: people }, (_, index) => enter(index, ports)));
    await run(writers, warmMs);
    const { times, failures } = await run(writers, runMs);
    for (const { at, askAt } of writers) for (const one of [at, askAt]) one.close();
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    const perSecond = round(times.length / (runMs / 1_000));
    const ratio = round(targetMs / p50, 3);
    const ok = p50 <= targetMs && failures === 0 && perSecond >= writesPerSecond * 0.95;
    const figures = { unit: "ms", p50: round(p50, 2), p99: round(p99, 2), perSecond, failures };
    return [{ name: "read-your-writes", ours: round(p50, 2), ceiling: targetMs, ratio, target: 1, ok, ...figures }];
  } finally {
    await Promise.all(apps.map((app) => app.close()));
    await box.close();
    await servers.close();
  }
};

async function enter(index: number, [port = 0, otherPort = 0]: readonly number[]): Promise<Writer> {
  const person = {
    url: `http://127.0.0.1:${port}`,
    email: `p${index}@example.org`,
    password: "a long enough password",
  };
  await register({ ...person, name: `p${index}` });
  const { token } = await signIn(person);
  const open = (to: number) => openListener(`ws://127.0.0.1:${to}/v1/socket`, token);
  const [at, askAt] = [await open(port), await open(otherPort)];
  const { ok } = await at.ask({ m: "createRoom", d: { name: "Engine" }, k: newKey() });
  return { at, askAt, room: (ok as { readonly room: string }).room };
}

/** Writes at an even pace, whatever the answers do. */
async function run(writers: readonly Writer[], forMs: number): Promise<{ times: readonly number[]; failures: number }> {
  const times: number[] = [];
  let failures = 0;
  const underWay: Promise<void>[] = [];
  const beganAt = performance.now();
  for (let written = 0; performance.now() - beganAt < forMs; ) {
    const due = ((performance.now() - beganAt) / 1_000) * writesPerSecond;
    for (; written < due; written++) {
      const writer = writers[written % writers.length];
      if (writer === undefined) continue;
      const asked = writeAndAsk(writer).then(
        (ms) => void times.push(ms),
        () => {
          failures += 1;
        },
      );
      underWay.push(asked);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  await Promise.all(underWay);
  return { times, failures };
}

async function writeAndAsk({ at, askAt, room }: Writer): Promise<number> {
  const { ok, p } = await at.ask({ m: "postMessage", d: { room, text: "a message" }, k: newKey() });
  const { s } = ok as { readonly s: number };
  const from = performance.now();
  const answer = await askAt.ask({ q: "history", d: { room, after: s - 1, limit: 1 }, a: p });
  const { events } = answer.ok as { readonly events: readonly { readonly s: number }[] };
  if (events[0]?.s !== s) throw new Error(`${s} was acknowledged, and is not in the answer`);
  return performance.now() - from;
}
