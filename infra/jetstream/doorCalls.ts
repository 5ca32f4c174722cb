import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import { ServiceError } from "@connect-hub/domain/services";
import { type Msg, errors as natsErrors } from "@nats-io/nats-core";
import { guarded } from "./callbacks.ts";
import type { NatsLink } from "./connectNats.ts";

/** Answers what services ask of the door, with a text that is JSON. Throws never. */
export type DoorAnswerer = (service: string, what: string, body: unknown) => Promise<string>;

/**
 * Asks the door, and gives the JSON of its answer. Throws `ServiceError`: `DoorAway` when nobody serves it, `NotAllowed` when
 * nats-server says that this service may not ask that; and `LogUnavailable` when the connection is down or no answer came in time.
 */
export async function askDoor(
  link: NatsLink,
  subject: string,
  body: object,
  timeoutMs: number,
): Promise<{ readonly [name: string]: unknown }> {
  if (!link.connected) throw new LogUnavailable("The connection to the hub is down.");
  try {
    const answer = await link.nc.request(subject, JSON.stringify(body), { timeout: timeoutMs });
    return answer.json();
  } catch (error) {
    const cause = error instanceof natsErrors.RequestError ? (error.cause ?? error) : error;
    if (cause instanceof natsErrors.PermissionViolationError)
      throw new ServiceError(
        "NotAllowed",
        `This service has no right to ask for ${subject}. See: npm run hub -- service list`,
      );
    if (cause instanceof natsErrors.NoRespondersError || cause instanceof natsErrors.RequestError)
      throw new ServiceError("DoorAway", "Nobody serves the filtering door. The box starts it: npm run hub -- status");
    throw new LogUnavailable("The filtering door did not answer.", { cause });
  }
}

/** How many questions of one service may be open at once. */
const perService = 256;

/**
 * Serves the door for all services. A service is taken for the one that its subject names: NATS lets it publish under no other. It is
 * answered nowhere but in its own inbox, and not at all when it asks for another place.
 */
export function serveDoor(link: NatsLink, prefix: string, answerer: DoorAnswerer): { close(): void } {
  const pattern = subjects(prefix).door("*", ">");
  const parts = pattern.split(".").length;
  const open = new Map<string, number>();
  const handle = guarded(({ subject, reply, data }: Msg) => {
    const words = subject.split(".");
    const service = words[parts - 2] ?? "";
    if (reply === undefined || !isInboxOf(service, reply)) return;
    const count = open.get(service) ?? 0;
    if (count >= perService) return respond(link, reply, refusal(`More than ${perService} questions at once.`));
    open.set(service, count + 1);
    void answerer(service, words.slice(parts - 1).join("."), jsonOf(data)).then((answer) => {
      const left = (open.get(service) ?? 1) - 1;
      if (left > 0) open.set(service, left);
      else open.delete(service);
      respond(link, reply, answer);
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

/** This process may publish to every service: each gets answers in the inbox that nobody else hears, and words that are plain ones. */
function isInboxOf(service: string, reply: string): boolean {
  const before = `_INBOX_svc.${service}.`;
  return reply.startsWith(before) && reply.length <= 200 && /^[\w-]+(\.[\w-]+)*$/.test(reply.slice(before.length));
}

function respond(link: NatsLink, reply: string, answer: string): void {
  if (!link.connected) return;
  const most = link.nc.info?.max_payload ?? 1024 * 1024;
  const bytes = Buffer.byteLength(answer);
  link.nc.publish(reply, bytes <= most ? answer : refusal(`The answer has ${bytes} bytes; NATS takes ${most}.`));
}

function refusal(message: string): string {
  return JSON.stringify({ error: { code: "Unavailable", message } });
}

function jsonOf(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
