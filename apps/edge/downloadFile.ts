import type { BlobStore } from "@connect-hub/blobs";
import type { Row } from "@connect-hub/domain/kernel";
import type { HttpRequest, HttpResponse, StreamedBody } from "@connect-hub/uws";
import { type ByteRange, byteRange } from "./byteRange.ts";
import { attachment, nameOf, namesTag } from "./fileHeaders.ts";
import type { NodeBlobs } from "./nodeBlobs.ts";
import { Refused } from "./refusals.ts";

/** Where the bytes of files are. */
export interface BytesSources {
  readonly blobs: BlobStore;
  readonly nodes: NodeBlobs;
}

/**
 * Answers GET or HEAD of a file that the asker may read: all of it or one range, from the disk or from a node, or 304. Throws `Refused`
 * (`FileUnavailable`).
 */
export async function downloadFile(request: HttpRequest, file: Row, sources: BytesSources): Promise<HttpResponse> {
  const size = Number(file.size);
  const hash = String(file.hash);
  const tag = `"${hash}"`;
  const headers = {
    etag: tag,
    "accept-ranges": "bytes",
    // Asked about anew each time, for the right to read it may end.
    "cache-control": "private, no-cache",
  };
  if (namesTag(request.headers.get("if-none-match"), tag)) return { status: 304, headers };
  const range = rangeOf(request, size, tag);
  if (range === "bad") throw new Refused("BadRange", { size });
  const isPart = range !== "none";
  const wanted = isPart ? range : { from: 0, to: size };
  return {
    status: isPart ? 206 : 200,
    headers: {
      ...headers,
      ...(isPart && { "content-range": `bytes ${wanted.from}-${wanted.to - 1}/${size}` }),
      "content-type": String(file.type),
      "content-disposition": attachment(nameOf(file)),
      // Whatever it is, it must not run as a page of this address.
      "content-security-policy": "sandbox; default-src 'none'",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
    },
    body: await bytesOf(hash, size, wanted, request.method === "HEAD", sources),
  };
}

function rangeOf({ method, headers }: HttpRequest, size: number, tag: string): ReturnType<typeof byteRange> {
  const unless = headers.get("if-range");
  if (method !== "GET" || (unless !== undefined && unless !== tag)) return "none";
  return byteRange(headers.get("range"), size);
}

async function bytesOf(
  hash: string,
  size: number,
  range: ByteRange,
  lengthOnly: boolean,
  { blobs, nodes }: BytesSources,
): Promise<StreamedBody> {
  const length = range.to - range.from;
  const isHere = lengthOnly || length === 0 || (await blobs.sizeOf(hash)) === size;
  if (!isHere) return nodes.open(hash, range);
  return {
    length,
    async *stream(gone) {
      // Nobody keeps a chunk for longer than it takes to send it.
      const here = blobs.read(hash, range.from, range.to, { reusesMemory: true })[Symbol.asyncIterator]();
      let first: IteratorResult<Uint8Array>;
      try {
        first = await here.next();
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
        // Dropped between the look and the reading: then a node has it.
        yield* (await nodes.open(hash, range)).stream(gone);
        return;
      }
      if (first.done) return;
      try {
        yield first.value;
        yield* { [Symbol.asyncIterator]: () => here };
      } finally {
        await here.return?.();
      }
    },
  };
}
