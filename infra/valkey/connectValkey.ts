import { Redis } from "ioredis";
import { type Budget, type BudgetOptions, makeBudget } from "./budget.ts";
import { type Debts, makeDebts } from "./debts.ts";

const connectTimeoutMs = 5_000;
const commandTimeoutMs = 1_000;
const longestPauseMs = 2_000;

export interface ValkeyOptions {
  /** Told when the connection fails and each time a new attempt does; the connection comes back by itself. */
  readonly onError: (error: Error) => void;
}

/** A connection to Redis or Valkey. What it holds may be lost at any time: nothing true lies there alone. */
export interface Valkey {
  /** A budget of its own per name; budgets of one name and server are one, whoever made them. */
  budget(options: BudgetOptions): Budget;
  /** Debts of that name; those of one name and server are one, whoever made them. */
  debts(name: string): Debts;
  close(): Promise<void>;
}

/** The server can't be reached with that URL. */
export class ValkeyUnreachable extends Error {
  readonly code = "ValkeyUnreachable";
}

/**
 * Connects to `url` (`redis://:password@host:port`). Throws `ValkeyUnreachable` if that fails within 5 s. Later on, while the server
 * is away, every use fails at once or within 1 s.
 */
export async function connectValkey(url: string, { onError }: ValkeyOptions): Promise<Valkey> {
  let firstError: Error | undefined;
  const client = new Redis(url, {
    lazyConnect: true,
    replyMapping: "legacy",
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // A count that may have been made is not made again, and nobody waits for a server that is away.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(attempt * 100, longestPauseMs),
  });
  client.on("error", (error) => {
    firstError ??= error;
    onError(error);
  });
  try {
    await client.connect();
  } catch (error) {
    client.disconnect();
    throw new ValkeyUnreachable(`Redis or Valkey can't be reached: ${(firstError ?? error) as Error}`, {
      cause: firstError ?? error,
    });
  }
  return {
    budget: (options) => makeBudget(client, options),
    debts: (name) => makeDebts(client, name),
    close: async () => {
      client.disconnect();
    },
  };
}
