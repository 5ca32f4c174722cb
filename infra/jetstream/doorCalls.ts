import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import { ServiceError } from "@connect-hub/domain/services";
import { type Msg, errors as natsErrors } from "@nats-io/nats-core";
import { guarded } from "./callbacks.ts";
import type { NatsLink } from "./connectNats.ts";

/** Answers what services ask of the door. Throws never; what it gives is sent as JSON. */
export type DoorAnswerer = (service: string, what: string, body: unknown) => Promise<object>;

/**
 * Asks the door, and gives the JSON of its answer. Throws `ServiceError` `DoorAway` when nobody serves it, and `LogUnavailable` when no
 * answer came in time.
 */
export async function askDoor(
  link: NatsLink,
  subject: string,
  body: object,
  timeoutMs: number,
): Promise<{ readonly [name: string]: unknown }> {
  try {
    const answer = await link.nc.request(subject, JSON.stringify(body), { timeout: timeoutMs });
    return answer.json();
  } catch (cause) {
    if (cause instanceof natsErrors.NoRespondersError || cause instanceof natsErrors.RequestError)
      throw new ServiceError("DoorAway", "Nobody serves the filtering door. The box starts it: npm run hub -- status");
    throw new LogUnavailable("The filtering door did not answer.", { cause });
  }
}

/** Serves the door for all services. A service is taken for the one that its subject names: it may publish under no other. */
export function serveDoor(link: NatsLink, prefix: string, answerer: DoorAnswerer): { close(): void } {
  const pattern = subjects(prefix).door("*", ">");
  const parts = pattern.split(".").length;
  const handle = guarded((message: Msg) => {
    const words = message.subject.split(".");
    const service = words[parts - 2] ?? "";
    // This process may publish to every service: an answer goes to the one that asked, by whatever name it wants to be answered.
    if (message.reply?.startsWith(`_INBOX_svc.${service}.`) !== true) return;
    const { reply } = message;
    void answerer(service, words.slice(parts - 1).join("."), jsonOf(message)).then((answer) => {
      if (link.connected) link.nc.publish(reply, JSON.stringify(answer));
    });
  });
  const subscription = link.nc.subscribe(pattern, {
    queue: "door",
    callback: (error, message) => {
      if (error === null) handle(message);
    },
  });
  return { close: () => subscription.unsubscribe() };
}

function jsonOf(message: Msg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
