import { LogUnavailable, subjects } from "@connect-hub/domain/kernel";
import { ServiceError, type StateEntry, type StoredState } from "@connect-hub/domain/services";
import { JetStreamApiCodes, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type KV, type KvEntry, Kvm } from "@nats-io/kv";
import type { NatsLink } from "./connectNats.ts";
import { hasApiCode } from "./errors.ts";

/** What each service may see, under its name. All throw `LogUnavailable`. */
export interface ServiceRegistry {
  /** The text under `name`, or undefined. */
  read(name: string): Promise<string | undefined>;
  /** All names, in order. */
  names(): Promise<readonly string[]>;
  /** Writes the text, and makes the service a bucket of its own for what it keeps. */
  write(name: string, text: string, replicas: number): Promise<void>;
  /** Takes it away, with all that it kept. */
  remove(name: string): Promise<void>;
}

const answerMs = 3_000;
/** What one service may keep on the disk. */
const maxBytes = 16 * 1024 ** 2;
/** How long the JSON of a page is, at most but for a single entry, and how many entries are read at once for it. */
const pageBytes = 512 * 1024;
const pageGroup = 16;
/** So long the traces of an entry that was taken away stay. */
const traceSeconds = 120;

/** The registry as the operator and the door use it. */
export function serviceRegistry(link: NatsLink, prefix: string): ServiceRegistry {
  const { servicesBucket, serviceBucket } = subjects(prefix);
  const client = () => jetstream(link.nc, { timeout: answerMs });
  const bucket = bucketOpener(link, servicesBucket);
  return {
    read: (name) =>
      bucket(async (kv) => {
        try {
          return textOf(await kv.get(name));
        } catch (error) {
          // Before the first service there is no registry.
          if (hasApiCode(error, JetStreamApiCodes.StreamNotFound)) return undefined;
          throw error;
        }
      }),
    async names() {
      const keys = await keysOf(link, servicesBucket, ">");
      // One that was removed leaves its name.
      const texts = await bucket((kv) => Promise.all(keys.map(async (key) => textOf(await kv.get(key)))));
      return keys.filter((_, index) => texts[index] !== undefined);
    },
    write: (name, text, replicas) =>
      orUnavailable(servicesBucket, async () => {
        const own = { history: 1, replicas, allow_direct: false, max_bytes: maxBytes };
        await new Kvm(client()).create(serviceBucket(name), { ...own, markerTTL: traceSeconds * 1_000 });
        const all = await new Kvm(client()).create(servicesBucket, { history: 1, replicas, allow_direct: false });
        await all.put(name, text);
      }),
    remove: (name) =>
      orUnavailable(servicesBucket, async () => {
        await bucket((kv) => kv.delete(name));
        const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
        await manager.streams.delete(`KV_${serviceBucket(name)}`).catch((error: unknown) => {
          if (!hasApiCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
        });
      }),
  };
}

/** What the service `name` keeps, in its bucket. */
export function serviceState(link: NatsLink, prefix: string, name: string): StoredState {
  const own = subjects(prefix).serviceBucket(name);
  const bucket = bucketOpener(link, own);
  const keyOf = (key: string) => `at.${key}`;
  return {
    async page(under, after) {
      const keys = (await keysOf(link, own, `${keyOf(under)}.>`)).filter((key) => key > keyOf(after));
      const entries: StateEntry[] = [];
      let bytes = 0;
      for (let from = 0; from < keys.length; from += pageGroup) {
        const group = keys.slice(from, from + pageGroup);
        for (const entry of await bucket((kv) => Promise.all(group.map((key) => kv.get(key))))) {
          const value = textOf(entry);
          if (entry === null || value === undefined) continue;
          const one = { key: entry.key.slice("at.".length), value, revision: entry.revision };
          bytes += Buffer.byteLength(JSON.stringify(one)) + 1;
          if (entries.length > 0 && bytes > pageBytes) return { entries, more: true };
          entries.push(one);
        }
      }
      return { entries, more: false };
    },
    put: (key, value, revision) =>
      bucket(async (kv) => {
        try {
          if (revision === 0) return await kv.create(keyOf(key), value);
          return await kv.put(keyOf(key), value, { previousSeq: revision });
        } catch (error) {
          const { StreamWrongLastSequence: wrong, StreamWrongLastSequenceUnknown: unknown } = JetStreamApiCodes;
          if (hasApiCode(error, wrong) || hasApiCode(error, unknown)) return undefined;
          if (hasApiCode(error, storeFailed)) throw stateFull(name);
          throw error;
        }
      }),
    drop: (key) => bucket((kv) => kv.purge(keyOf(key), { ttl: `${traceSeconds}s` })),
  };
}

function bucketOpener(link: NatsLink, name: string): <T>(use: (kv: KV) => Promise<T>) => Promise<T> {
  let opened: Promise<KV> | undefined;
  return (use) =>
    orUnavailable(name, async () => {
      opened ??= new Kvm(jetstream(link.nc, { timeout: answerMs })).open(name, {
        bindOnly: true,
        allow_direct: false,
      });
      return use(await opened);
    });
}

/** The keys of a bucket that `pattern` matches, in order. */
function keysOf(link: NatsLink, bucket: string, pattern: string): Promise<readonly string[]> {
  const before = `$KV.${bucket}.`;
  return orUnavailable(bucket, async () => {
    try {
      const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: answerMs });
      const info = await manager.streams.info(`KV_${bucket}`, { subjects_filter: before + pattern });
      return Object.keys(info.state.subjects ?? {})
        .map((subject) => subject.slice(before.length))
        .sort();
    } catch (error) {
      if (hasApiCode(error, JetStreamApiCodes.StreamNotFound)) return [];
      throw error;
    }
  });
}

/** nats-server's code for a message that a stream has no room for. */
const storeFailed = 10077;

function stateFull(name: string): ServiceError {
  const text = `The service ${name} keeps ${maxBytes / 1024 ** 2} MiB already, all that it may: retry what is parked, or remove and add it.`;
  return new ServiceError("StateFull", text);
}

function textOf(entry: KvEntry | null): string | undefined {
  return entry === null || entry.operation !== "PUT" ? undefined : entry.string();
}

async function orUnavailable<T>(bucket: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (cause instanceof LogUnavailable || cause instanceof ServiceError) throw cause;
    throw new LogUnavailable(`The bucket ${bucket} can't be reached.`, { cause });
  }
}
