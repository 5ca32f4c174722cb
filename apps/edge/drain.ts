import { pause } from "@connect-hub/domain/kernel";
import type { Connection } from "./connection.ts";

/** Sockets that are turned away at a time, and the pause between. */
const batch = 50;
const pauseMs = 5;
/** The hints when to come back are spread over so long, so that not all come at once. */
const spreadMs = 2_000;

/** Turns all clients away with a hint when to come back; resolves when each has the answers that it was owed and is closed. */
export async function turnAway(connections: readonly Connection[]): Promise<void> {
  for (let at = 0; at < connections.length; at += batch) {
    for (const connection of connections.slice(at, at + batch))
      connection.end("ShuttingDown", Math.round(Math.random() * spreadMs));
    await pause(pauseMs);
  }
  await Promise.all(connections.map((connection) => connection.whenClosed));
}
