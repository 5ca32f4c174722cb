import { pause } from "@connect-hub/domain/kernel";
import type { Connection } from "./connection.ts";
import type { Sockets } from "./sockets.ts";

/** Sockets that are turned away at a time, and the pause between. */
const batch = 50;
const pauseMs = 5;
/** The hints when to come back are spread over so long, so that not all come at once. */
const spreadMs = 2_000;

/** Turns all clients away with a hint when to come back, whether they are signed in or not; resolves when each has the answers that it was owed and is closed. */
export async function turnAway(sockets: Pick<Sockets, "all">): Promise<void> {
  // A connection that was taken before the edge stopped to listen may still open a socket.
  for (let open = sockets.all(); open.length > 0; open = sockets.all()) await turnThoseAway(open);
}

async function turnThoseAway(connections: readonly Connection[]): Promise<void> {
  for (let at = 0; at < connections.length; at += batch) {
    for (const connection of connections.slice(at, at + batch))
      connection.end("ShuttingDown", Math.round(Math.random() * spreadMs));
    await pause(pauseMs);
  }
  await Promise.all(connections.map((connection) => connection.whenClosed));
}
