import type { ContentNode } from "@connect-hub/projections";
import { connectNode, NodeError, type NodeErrorCode, type NodeLink, removeLeftovers } from "@connect-hub/ssh";
import { atLeastSpeed } from "./atLeastSpeed.ts";
import { BackOff } from "./backOff.ts";

/** What went wrong with a node last. */
export interface NodeTrouble {
  readonly code: NodeErrorCode;
  readonly text: string;
  readonly at: string;
}

/** What operators see of a node. */
export interface NodeStatus {
  readonly id: string;
  readonly name: string;
  /** `untried` until the first connection was made or refused. */
  readonly state: "up" | "down" | "untried";
  readonly lastError: NodeTrouble | null;
  readonly freeBytes: number | null;
  /** As measured over the last transfers. */
  readonly upBytesPerSecond: number | null;
  readonly downBytesPerSecond: number | null;
}

/** `bulk`: moves. `reads`: what users wait for, which must not stand behind a move. */
export type Purpose = "bulk" | "reads";

export interface NodeClientOptions {
  readonly privateKey: string;
  onTrouble(node: ContentNode, trouble: NodeTrouble): void;
  /** It can be reached, which it could not before. */
  onUp(node: ContentNode): void;
}

/** After these the connection still works. */
const harmless: ReadonlySet<NodeErrorCode> = new Set<NodeErrorCode>([
  "NodeFull",
  "WrongBytes",
  "WrongPath",
  "NodeFailed",
]);
/** Users don't wait as long for a node that says nothing: another may have the same. */
const patience = {
  bulk: { connectTimeoutMs: 10_000, idleTimeoutMs: 15_000 },
  reads: { connectTimeoutMs: 4_000, idleTimeoutMs: 4_000 },
} as const;
/** What a node that doesn't tell is taken to have free. */
const untoldBytes = 1024 ** 4;
/** Free space is asked for again after so long. */
const freeBytesAgeMs = 10_000;

/** One node as placement reaches it: a connection for each purpose, made when needed and again when it broke. */
export class NodeClient {
  readonly node: ContentNode;
  readonly #options: NodeClientOptions;
  readonly #links = new Map<Purpose, Promise<NodeLink>>();
  readonly #reach = {
    bulk: new BackOff({ firstMs: 1_000, maxMs: 30_000, now: Date.now }),
    reads: new BackOff({ firstMs: 250, maxMs: 5_000, now: Date.now }),
  };
  /** For what a node that is there can't do: take more bytes, give back the right ones. */
  readonly #copies = new BackOff({ firstMs: 1_000, maxMs: 60_000, now: Date.now });
  readonly #closing = new AbortController();
  #state: NodeStatus["state"] = "untried";
  #lastError: NodeTrouble | null = null;
  #lastFailure: unknown;
  #freeBytes: number | undefined;
  #freeBytesAt = 0;
  #isLooking = false;
  #up: number | undefined;
  #down: number | undefined;

  constructor(node: ContentNode, options: NodeClientOptions) {
    this.node = node;
    this.#options = options;
  }

  get status(): NodeStatus {
    return {
      id: this.node.id,
      name: this.node.name,
      state: this.#state,
      lastError: this.#lastError,
      freeBytes: this.#freeBytes ?? null,
      upBytesPerSecond: this.#up ?? null,
      downBytesPerSecond: this.#down ?? null,
    };
  }

  /** Whether bytes may be sent there now. */
  get takesCopies(): boolean {
    return this.#state === "up" && this.#copies.mayTry && this.#reach.bulk.mayTry;
  }

  get freeBytes(): number {
    return this.#freeBytes ?? 0;
  }

  /** Whether it has so many bytes free; when not, that is its last error. */
  hasRoomFor(bytes: number): boolean {
    if (this.freeBytes >= bytes) return true;
    this.#note(new NodeError("NodeFull", `The node has ${this.freeBytes} bytes free, and ${bytes} are needed.`));
    this.copyFailed();
    return false;
  }

  /** The order in which nodes are asked for bytes: those that are up first, then the quicker ones. */
  get readRank(): number {
    return (this.#state === "down" ? 0 : 1e15) + (this.#down ?? 0);
  }

  /** Connects if that has not been done and may be tried; throws nothing. */
  async look(): Promise<void> {
    // One that is slow would be asked again and again before it answers once.
    if (this.#isLooking || !this.#reach.bulk.mayTry) return;
    this.#isLooking = true;
    await this.use("bulk", (link) => this.#measureFree(link)).catch(() => undefined);
    this.#isLooking = false;
  }

  /**
   * Runs `work` with a connection for that purpose. What it throws is remembered as the node's last error; where it broke the
   * connection, or there was none to be had, the next ones fail at once for a while.
   */
  async use<T>(purpose: Purpose, work: (link: NodeLink) => Promise<T>): Promise<T> {
    if (!this.#reach[purpose].mayTry) throw this.#lastFailure;
    const connecting = this.#links.get(purpose) ?? this.#connect(purpose);
    let isConnected = false;
    try {
      const link = await connecting;
      isConnected = true;
      const result = await work(link);
      this.#isUp(purpose);
      return result;
    } catch (error) {
      // What is not the node's, such as a file here that can't be read, says nothing of it.
      if (error instanceof NodeError) this.#failed(purpose, error, { connecting, isConnected });
      throw error;
    }
  }

  /** A copy succeeded: so many bytes in so long. */
  copied(bytes: number, ms: number): void {
    this.#copies.succeeded();
    this.#up = smoothed(this.#up, bytes, ms);
    if (this.#freeBytes !== undefined) this.#freeBytes = Math.max(0, this.#freeBytes - bytes);
  }

  /** A copy failed though the node is there. */
  copyFailed(): void {
    this.#copies.failed();
    this.#freeBytesAt = 0;
  }

  /** Bytes were read: so many in so long. */
  wasRead(bytes: number, ms: number): void {
    this.#down = smoothed(this.#down, bytes, ms);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.all(links.map((link) => link.then((one) => one.close()).catch(() => undefined)));
  }

  #connect(purpose: Purpose): Promise<NodeLink> {
    const { host, port, username: user, path, hostKey } = this.node;
    const connecting = (async () => {
      const link = await connectNode(
        { host, port, user, path, hostKey },
        { privateKey: this.#options.privateKey, signal: this.#closing.signal, ...patience[purpose] },
      );
      try {
        // No move of ours is under way where there was no connection: what lies there is of one that was cut.
        if (purpose === "bulk") await atLeastSpeed(link, { bytes: 0 }, () => removeLeftovers(link));
        return link;
      } catch (error) {
        await link.close();
        throw error;
      }
    })();
    this.#links.set(purpose, connecting);
    const onClosed = (error: NodeError | undefined) => {
      // Nothing may have been under way that would have told.
      if (error !== undefined && this.#links.get(purpose) === connecting)
        this.#failed(purpose, error, { connecting, isConnected: true });
    };
    connecting.then(({ closed }) => closed.then(onClosed)).catch(() => undefined);
    return connecting;
  }

  async #measureFree(link: NodeLink): Promise<void> {
    if (Date.now() - this.#freeBytesAt < freeBytesAgeMs) return;
    this.#freeBytes = (await link.freeBytes()) ?? untoldBytes;
    this.#freeBytesAt = Date.now();
  }

  #isUp(purpose: Purpose): void {
    const wasUp = this.#state === "up";
    this.#state = "up";
    this.#reach[purpose].succeeded();
    // A node that answers users is there for moves too.
    if (purpose === "reads") this.#reach.bulk.succeeded();
    if (!wasUp) this.#options.onUp(this.node);
  }

  #failed(purpose: Purpose, error: NodeError, link: { connecting: Promise<NodeLink>; isConnected: boolean }): void {
    if (this.#closing.signal.aborted) return;
    this.#note(error);
    if (link.isConnected && harmless.has(error.code)) return;
    // Whatever was under way fails with the connection; once is enough.
    if (this.#links.get(purpose) !== link.connecting) return;
    this.#state = "down";
    this.#lastFailure = error;
    this.#reach[purpose].failed();
    this.#links.delete(purpose);
    void link.connecting.then((one) => one.close()).catch(() => undefined);
  }

  #note({ code, message: text }: NodeError): void {
    this.#lastError = { code, text, at: new Date().toISOString() };
    this.#options.onTrouble(this.node, this.#lastError);
  }
}

function smoothed(before: number | undefined, bytes: number, ms: number): number {
  const now = Math.round((bytes * 1_000) / Math.max(1, ms));
  return before === undefined ? now : Math.round(before * 0.7 + now * 0.3);
}
