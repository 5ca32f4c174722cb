import type { NatsConnection, Status } from "@nats-io/nats-core";

/** What happens to a connection. After `connected` anything that was sent before may be lost. */
export type LinkEvent =
  | { readonly type: "disconnected" | "connected" | "slowConsumer" | "closed" }
  /** The server refused something: a right that is missing, for example. */
  | { readonly type: "error"; readonly error: Error };

export interface LinkStatus {
  connected(): boolean;
  onEvent(listener: (event: LinkEvent) => void): () => void;
}

/** Follows a connection's status until it is closed. */
export function watchStatus(nc: NatsConnection): LinkStatus {
  let connected = true;
  const listeners = new Set<(event: LinkEvent) => void>();
  const follow = async () => {
    for await (const status of nc.status()) {
      const event = eventOf(status);
      if (event === undefined) continue;
      if (event.type === "connected") connected = true;
      if (event.type === "disconnected" || event.type === "closed") connected = false;
      for (const listener of [...listeners]) listener(event);
    }
  };
  void follow();
  return {
    connected: () => connected && !nc.isClosed(),
    onEvent(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function eventOf(status: Status): LinkEvent | undefined {
  switch (status.type) {
    case "disconnect":
      return { type: "disconnected" };
    case "reconnect":
      return { type: "connected" };
    case "slowConsumer":
      return { type: "slowConsumer" };
    case "close":
      return { type: "closed" };
    case "error":
      return { type: "error", error: status.error };
    default:
      return undefined;
  }
}
