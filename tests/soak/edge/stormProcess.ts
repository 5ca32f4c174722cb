import { waitFor } from "../../demo/waitFor.ts";
import { type LightSocket, lightSocket, type StormCounts } from "./lightSocket.ts";

// Thousands of sockets in a process of their own. It does what its parent says and answers each order with a `StormReport`.

/** What the parent says. */
export type StormOrder =
  | { readonly open: StormPlan }
  /** All of them drop, and come back at once. */
  | { readonly storm: { readonly withinMs: number } }
  /** Until all of them have the room up to `s`. */
  | { readonly reach: { readonly s: number; readonly withinMs: number } };

export interface StormPlan {
  readonly url: string;
  /** One for each so many sockets. */
  readonly tokens: readonly string[];
  readonly room: string;
  readonly sockets: number;
  readonly withinMs: number;
}

/** How it went. */
export interface StormReport extends StormCounts {
  readonly tookMs: number;
  /** How many are not there, or behind. */
  readonly missing: number;
}

const counts: StormCounts = { refused: 0, resets: 0, doubled: 0, holes: 0 };
/** So many open at once to begin with: it is not the storm yet. */
const gently = 100;
let sockets: readonly LightSocket[] = [];

process.on("disconnect", () => process.exit(0));
process.on("message", (order: StormOrder) => void obey(order).then((report) => process.send?.(report)));
process.send?.("loaded");

async function obey(order: StormOrder): Promise<StormReport> {
  const startedAt = performance.now();
  const missing = await ("open" in order
    ? open(order.open)
    : "storm" in order
      ? storm(order.storm)
      : reach(order.reach));
  return { ...counts, missing, tookMs: Math.round(performance.now() - startedAt) };
}

async function open({ url, tokens, room, sockets: count, withinMs }: StormPlan): Promise<number> {
  sockets = Array.from({ length: count }, (_, at) =>
    lightSocket({ url, token: tokens[at % tokens.length] ?? "", room }, counts),
  );
  for (let from = 0; from < count; from += gently) {
    const some = sockets.slice(from, from + gently);
    for (const socket of some) socket.open();
    await still(some, ({ isReady }) => isReady, withinMs);
  }
  return sockets.filter(({ isReady }) => !isReady).length;
}

async function storm({ withinMs }: { readonly withinMs: number }): Promise<number> {
  for (const socket of sockets) socket.drop();
  for (const socket of sockets) socket.open();
  return still(sockets, ({ isReady }) => isReady, withinMs);
}

const reach = ({ s, withinMs }: { readonly s: number; readonly withinMs: number }): Promise<number> =>
  still(sockets, (socket) => socket.s >= s, withinMs);

/** Waits for all of them; how many are not so in the end. */
async function still(
  some: readonly LightSocket[],
  isSo: (socket: LightSocket) => boolean,
  withinMs: number,
): Promise<number> {
  await waitFor("all sockets", () => some.every(isSo), withinMs, 20).catch(() => undefined);
  return some.filter((socket) => !isSo(socket)).length;
}
