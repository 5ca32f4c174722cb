import type { LiveBus } from "@connect-hub/domain/kernel";
import { headers as newHeaders, type SubscriptionOptions } from "@nats-io/nats-core";
import { guarded } from "./callbacks.ts";
import type { NatsLink } from "./connectNats.ts";

/** Says things on core NATS, best effort. While the connection is down nothing is kept for later. */
export function natsLiveBus(link: NatsLink): LiveBus {
  return {
    publish(subject, body, headers) {
      if (!link.connected) return;
      if (headers === undefined) {
        link.nc.publish(subject, body);
        return;
      }
      const encoded = newHeaders();
      for (const [name, value] of Object.entries(headers)) encoded.set(name, value);
      link.nc.publish(subject, body, { headers: encoded });
    },
  };
}

/** Something heard on a subject. */
export interface LiveMessage {
  readonly subject: string;
  /** A view into what was received: copy what is kept. */
  readonly body: Uint8Array;
  /** The header of that name, or undefined. Names are case-sensitive. */
  header(name: string): string | undefined;
}

/**
 * Calls `handler` for each message on `subject`, in order, in the turn in which it came, until `unsubscribe`. The
 * subscription outlives reconnects; what was said in between is lost, see `NatsLink.onEvent`.
 */
export function subscribeLive(
  link: NatsLink,
  subject: string,
  handler: (message: LiveMessage) => void,
): { unsubscribe(): void } {
  return liveHearer(link, handler)(subject);
}

/** As `subscribeLive` for any number of subjects, each with less memory. */
export function liveHearer(
  link: NatsLink,
  handler: (message: LiveMessage) => void,
): (subject: string) => { unsubscribe(): void } {
  const handle = guarded(handler);
  const options: SubscriptionOptions = {
    callback(error, message) {
      // A missing right arrives here and as an event of the link.
      if (error !== null) return;
      handle({
        subject: message.subject,
        body: message.data,
        header: (name) => message.headers?.get(name) || undefined,
      });
    },
  };
  return (subject) => link.nc.subscribe(subject, options);
}
