import { ServiceError } from "@connect-hub/domain/services";
import { connectNats } from "@connect-hub/jetstream";
import { doorSource } from "./doorSource.ts";
import { type SubscribeOptions, type Subscription, subscribe } from "./subscription.ts";

/** How a service reaches the hub; `hub service add` says user and password. */
export interface ConnectEventsOptions {
  /** `nats://host:port`, several by commas. */
  readonly url: string;
  /** `svc-NAME`; `door-NAME` for one that an older version let in by types or rooms. */
  readonly user: string;
  readonly password: string;
  /** Stands before all names in NATS; empty if left out. */
  readonly prefix?: string;
}

/** The events of a hub, as one service gets them. */
export interface Events {
  /** Begins to handle events. Throws `ServiceError` for what is asked wrongly or not allowed, and `LogUnavailable`. */
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** Closes all subscriptions, and the connection. */
  close(): Promise<void>;
}

/** Connects. Throws `LogUnavailable` when no server answers or it refuses the user, and `ServiceError` for a user that is no service. */
export async function connectEvents(options: ConnectEventsOptions): Promise<Events> {
  const { url, user, password, prefix = "" } = options;
  const [, name] = /^(?:svc|door)-([a-z0-9][a-z0-9-]{0,31})$/.exec(user) ?? [];
  if (name === undefined) {
    const text = `"${user}" is no user of a service: those are svc-NAME, as said by npm run hub -- service add.`;
    throw new ServiceError("UnknownService", text);
  }
  const link = await connectNats({ url, user, password, name: user, inboxPrefix: `_INBOX_svc.${name}` });
  const source = doorSource({ link, prefix, name });
  const open: Subscription[] = [];
  return {
    async subscribe(wanted) {
      const subscription = await subscribe(source, wanted);
      open.push(subscription);
      return subscription;
    },
    async close() {
      await Promise.all(open.splice(0).map((subscription) => subscription.close()));
      await link.close();
    },
  };
}
