import type { DataFolder } from "./dataFolder.ts";
import type { OnProgress } from "./privateCopy.ts";
import type { ServerKind } from "./serverKinds.ts";
import type { Account, ServerProgram } from "./serverProgram.ts";

/** What a server needs from its surroundings. */
export interface LaunchOptions {
  readonly program: ServerProgram;
  readonly folder: DataFolder;
  readonly port: number;
  readonly account: Account | undefined;
  readonly onProgress: OnProgress;
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
