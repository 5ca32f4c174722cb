import type { StoredCommit } from "@connect-hub/domain/kernel";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { type Msg, nanos, nuid, type Subscription } from "@nats-io/nats-core";
import type { NatsLink } from "./connectNats.ts";
import type { ReadTarget } from "./readLane.ts";

/** How many commits, and how many bytes of them, may be on their way. Measured: 1,000 is enough for full speed. */
const batchCommits = 1_000;
const batchBytes = 8 * 1024 * 1024;
/** How long a request waits at the head of the log; an idle reader costs one request in this time. */
const expiresMs = 30_000;
/**
 * How often the server says that it is still there; after twice that the consumer counts as lost. In a cluster it may be on another
 * server than the connection, so that nothing else tells of its end.
 */
const heartbeatMs = 1_000;
/** How long the server keeps a consumer for which no request waits. */
const inactiveMs = 60_000;

/** Makes a consumer on a lane's stream, first number `from`. Throws what the server answers. */
export async function openLanePull(
  link: NatsLink,
  { stream, manager }: ReadTarget,
  from: number,
  signal: AbortSignal,
): Promise<LanePull> {
  const consumer = `read_${nuid.next()}`;
  await manager.consumers.add(stream, {
    name: consumer,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: Math.max(from, 1),
    inactive_threshold: nanos(inactiveMs),
    mem_storage: true,
    num_replicas: 1,
  });
  const remove = () => void manager.consumers.delete(stream, consumer).catch(() => undefined);
  return new LanePull(link, { nextSubject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, from, signal, remove });
}

interface LanePullOptions {
  readonly nextSubject: string;
  /** The first commit that is to come. */
  readonly from: number;
  readonly signal: AbortSignal;
  /** Removes the consumer. */
  remove(): void;
}

/**
 * One consumer on a lane, until the connection, the consumer or the signal ends it. A consumer of its own making,
 * because the client's ordered consumer hands over one message at a time and can't bound messages and bytes together.
 */
export class LanePull {
  #arrived: StoredCommit[] = [];
  #onTheWay = 0;
  #isOver = false;
  #heardAt = performance.now();
  /** The last commit that came. */
  #lastN: number;
  #wake: () => void = () => undefined;
  readonly #link: NatsLink;
  readonly #nextSubject: string;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #cleanups: (() => void)[];

  constructor(link: NatsLink, { nextSubject, from, signal, remove }: LanePullOptions) {
    this.#link = link;
    this.#nextSubject = nextSubject;
    this.#lastN = from - 1;
    this.#inbox = link.newInbox();
    this.#subscription = link.nc.subscribe(this.#inbox, {
      callback: (error, message) => (error === null ? this.#receive(message) : this.#end()),
    });
    const end = () => this.#end();
    const watch = setInterval(() => this.#checkAlive(), heartbeatMs);
    signal.addEventListener("abort", end);
    this.#cleanups = [
      // After a disconnect the server has forgotten what was asked, and a memory consumer with it.
      link.onEvent((event) => event.type === "disconnected" && end()),
      () => signal.removeEventListener("abort", end),
      () => clearInterval(watch),
      () => this.#subscription.unsubscribe(),
      remove,
    ];
    if (signal.aborted || !link.connected) end();
    this.#request();
  }

  /** What has come, at least one commit; undefined when this pull is over. The bytes are views into what was received. */
  async take(): Promise<StoredCommit[] | undefined> {
    if (this.#arrived.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#arrived.length === 0 || this.#isOver) return undefined;
    const batch = this.#arrived;
    this.#arrived = [];
    this.#request();
    return batch;
  }

  close(): void {
    this.#isOver = true;
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }

  #end(): void {
    this.#isOver = true;
    this.#wake();
  }

  #request(): void {
    if (this.#isOver || this.#onTheWay + this.#arrived.length > batchCommits / 2) return;
    const batch = batchCommits - this.#onTheWay;
    this.#onTheWay += batch;
    this.#heardAt = performance.now();
    const body = { batch, max_bytes: batchBytes, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) };
    this.#link.nc.publish(this.#nextSubject, JSON.stringify(body), { reply: this.#inbox });
  }

  #receive(message: Msg): void {
    this.#heardAt = performance.now();
    const n = streamSequence(message.reply);
    if (n === undefined) {
      this.#status(message);
      return;
    }
    this.#onTheWay -= 1;
    this.#lastN = n;
    this.#arrived.push({ n, bytes: message.data });
    if (this.#arrived.length === 1) this.#wake();
  }

  /** The server's word on a request: a heartbeat, its end with what it left undelivered, or the end of the consumer. */
  #status(message: Msg): void {
    if (message.headers?.code === 100) {
      // It tells what it delivered last: that may have been lost, with nothing after it to show the hole.
      if (Number(message.headers.get("Nats-Last-Stream")) > this.#lastN) this.#end();
      return;
    }
    const left = message.headers?.get("Nats-Pending-Messages") ?? "";
    if (left === "") {
      this.#end();
      return;
    }
    this.#onTheWay -= Number(left);
    this.#request();
  }

  #checkAlive(): void {
    if (this.#onTheWay > 0 && performance.now() - this.#heardAt > 2 * heartbeatMs) this.#end();
  }
}

/**
 * The stream's sequence in a delivery's reply subject:
 * `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<delivered>.<stream sequence>.…`; undefined in any other.
 */
function streamSequence(reply: string | undefined): number | undefined {
  if (reply === undefined || !reply.startsWith("$JS.ACK.")) return undefined;
  const parts = reply.split(".");
  return Number(parts[parts.length === 9 ? 5 : 7]);
}
