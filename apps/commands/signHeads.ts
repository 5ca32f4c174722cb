import { HeadSigner, type Lane, LogRewritten, pause, type SigningKey, signingKeyOf } from "@connect-hub/domain/kernel";
import { headStore, type NatsLink } from "@connect-hub/jetstream";
import { readSigningKey } from "@connect-hub/runtime";
import type { Logger } from "pino";
import type { CommandsConfig } from "./config.ts";

/** What runs only while this process leads a lane. */
interface Beside {
  close(): Promise<void>;
}

/**
 * Signs the head of a lane now and then, when there is a key to sign with, beside what runs there anyhow. Throws what
 * `readSigningKey` throws.
 */
export function signHeads(
  { HUB_SIGNING_KEY: path, HUB_HEADS_MS: everyMs, HUB_PREFIX: prefix }: CommandsConfig,
  { link, log }: { readonly link: NatsLink; readonly log: Logger },
): (lane: Lane, beside: Beside) => Beside {
  if (path === undefined) return (_, beside) => beside;
  const key = signingKeyOf(readSigningKey(path));
  return (lane, beside) => {
    const signing = startSigning(lane, { link, log, prefix, everyMs, key });
    return { close: async () => void (await Promise.all([signing.close(), beside.close()])) };
  };
}

interface SigningOptions {
  readonly link: NatsLink;
  readonly log: Logger;
  readonly prefix: string;
  readonly everyMs: number;
  readonly key: SigningKey;
}

function startSigning(lane: Lane, { link, log, prefix, everyMs, key }: SigningOptions): Beside {
  const stop = new AbortController();
  const store = headStore(link, prefix);
  async function run(): Promise<void> {
    let signer: HeadSigner | undefined;
    for (;;) {
      await pause(everyMs, stop.signal);
      if (stop.signal.aborted) return;
      try {
        signer ??= new HeadSigner({ lane, key, last: await store.last(lane), now: Date.now });
        const head = await signer.next(stop.signal);
        if (head !== undefined) await store.add(head);
      } catch (err) {
        if (err instanceof LogRewritten) {
          log.error({ err, lane: lane.id }, "the log is not what was signed: its heads are not signed any more");
          return;
        }
        if (!stop.signal.aborted) log.warn({ err, lane: lane.id }, "the head was not signed; tries again");
        // What it has read may be only a part.
        signer = undefined;
      }
    }
  }
  const running = run();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}
