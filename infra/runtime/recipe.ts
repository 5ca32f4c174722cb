import type { DataFolder } from "./dataFolder.ts";
import type { OnProgress } from "./privateCopy.ts";
import type { ServerKind } from "./serverKinds.ts";
import type { Account, ServerProgram } from "./serverProgram.ts";

/** How a nats-server finds the others of its cluster. */
export interface NatsCluster {
  /** This server among the others. */
  readonly serverName: string;
  /** Where the others reach this one, on the loopback address. */
  readonly port: number;
  /** Where this one reaches the others: their `port`s, its own among them or not. */
  readonly peers: readonly number[];
}

/** What a server needs from its surroundings. */
export interface LaunchOptions {
  readonly program: ServerProgram;
  readonly folder: DataFolder;
  readonly port: number;
  readonly account: Account | undefined;
  readonly onProgress: OnProgress;
  /** NATS only: the cluster that it is one server of. */
  readonly cluster?: NatsCluster | undefined;
}

/** A server that is prepared: how to start it, where it keeps its data, how to reach it. */
export interface Launch {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** As a user reaches it who may do everything that its users may do at all. */
  readonly url: string;
  readonly dataFolder: string;
  readonly stopSignal: NodeJS.Signals;
  readonly stopTimeoutMs: number;
  isReady(pid: number): Promise<boolean> | boolean;
}

/** How one kind of server is prepared. */
export interface Recipe {
  readonly kind: ServerKind;
  prepare(options: LaunchOptions): Promise<Launch>;
}
