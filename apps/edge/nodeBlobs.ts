import type { StreamedBody } from "@connect-hub/uws";
import type { ByteRange } from "./byteRange.ts";
import { Refused } from "./refusals.ts";

/** Bytes that nodes have, by way of placement. */
export interface NodeBlobs {
  /** Begins to fetch a range. Throws `Refused` (`FileUnavailable`) when no node gives it at present. */
  open(hash: string, range: ByteRange): Promise<StreamedBody>;
}

export interface NodeBlobsOptions {
  /** Where placement serves blobs. */
  readonly url: string;
  readonly secret: string;
  /** Told why there were none. */
  onTrouble(error: unknown): void;
}

/** For placement to connect to a node and find the place in the file. */
const firstByteMs = 20_000;

/** Asks placement's blob service; without options there are no nodes. */
export function nodeBlobs(options: NodeBlobsOptions | undefined): NodeBlobs {
  return {
    async open(hash, { from, to }) {
      if (options === undefined) throw new Refused("FileUnavailable");
      const given = new AbortController();
      const timer = setTimeout(() => given.abort(), firstByteMs);
      try {
        const response = await fetch(new URL(`/blobs/${hash}`, options.url), {
          headers: { authorization: `Bearer ${options.secret}`, range: `bytes=${from}-${to - 1}` },
          signal: given.signal,
        });
        const length = Number(response.headers.get("content-length"));
        if (!response.ok || response.body === null || length !== to - from) {
          given.abort();
          throw new Error(`placement answered ${response.status} with ${length} bytes`);
        }
        return streamOf(response.body, length, given);
      } catch (error) {
        options.onTrouble(error);
        throw new Refused("FileUnavailable");
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function streamOf(body: ReadableStream<Uint8Array>, length: number, given: AbortController): StreamedBody {
  return {
    length,
    stream(gone) {
      gone.addEventListener("abort", () => given.abort());
      return body;
    },
    unused: () => given.abort(),
  };
}
