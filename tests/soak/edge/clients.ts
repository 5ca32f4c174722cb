import { writeFileSync } from "node:fs";
import type { TcpLine } from "../../support/tcpLine.ts";
import { type OrderedChild, orderedChild } from "./childOrders.ts";
import { journalReader, type Line } from "./clientJournal.ts";
import type { ClientPlan, Order } from "./clientProcess.ts";
import type { Pace } from "./writer.ts";

/** Some clients that share a process, a line to the edges and a journal. */
export interface Clients {
  readonly names: readonly string[];
  readonly line: TcpLine;
  /** What they wrote since the last time. */
  read(): readonly Line[];
  /** How often one of them met with something, or was answered; by what was read. */
  count(what: "online" | "resync" | "twice" | "answered"): number;
  /** How often the one that has been answered least was answered. */
  leastAnswered(): number;
  go(pace: Pace): void;
  /** Resolves when everything sent was answered; nothing more is sent until `go`. */
  rest(): Promise<void>;
  unruly(isUnruly: boolean): void;
  /** Ends the process as a crash would, and begins another one, with its clock so far off, that goes on by its journal. */
  again(offMs?: number): Promise<void>;
  close(): Promise<void>;
}

const restMs = 90_000;

/** Starts the process; it writes nothing until `go`. */
export async function startClients(plan: ClientPlan, line: TcpLine): Promise<Clients> {
  writeFileSync(plan.journalFile, "");
  const journal = journalReader(plan.journalFile);
  const counts = new Map<string, number>();
  const answered = new Map(plan.writers.map(({ who }) => [who, 0]));
  let unread: Line[] = [];
  let child: OrderedChild<Order>;
  async function start(offMs?: number): Promise<void> {
    child = await orderedChild<Order>("./clientProcess.ts", offMs);
    child.send({ begin: plan });
  }
  function take(): void {
    const lines = journal.read();
    unread.push(...lines);
    for (const line of lines) {
      const isAnswer = line.t === "done" || line.t === "refused";
      const what = isAnswer ? "answered" : line.t === "met" ? line.what : line.t;
      counts.set(what, (counts.get(what) ?? 0) + 1);
      if (isAnswer) answered.set(line.who, (answered.get(line.who) ?? 0) + 1);
    }
  }
  await start();
  return {
    names: plan.writers.map(({ who }) => who),
    line,
    read() {
      take();
      const lines = unread;
      unread = [];
      return lines;
    },
    count(what) {
      take();
      return counts.get(what) ?? 0;
    },
    leastAnswered() {
      take();
      return Math.min(...answered.values());
    },
    go: (pace) => child.send({ go: pace }),
    rest: async () => void (await child.ask({ rest: true }, restMs)),
    unruly: (unruly) => child.send({ unruly }),
    async again(offMs) {
      await child.end("SIGKILL");
      await start(offMs);
    },
    close: () => child.end("SIGKILL"),
  };
}
