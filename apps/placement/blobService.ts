import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { BlobStore } from "@connect-hub/blobs";
import type { DownloadStep } from "@connect-hub/domain/content";
import type { BlobPlaces } from "@connect-hub/projections";
import type { Logger } from "pino";
import { byteRange } from "./byteRange.ts";
import { startFilling } from "./filling.ts";
import type { NodeClient } from "./nodeClient.ts";
import { BlobUnavailable, readPieces } from "./readPieces.ts";

export interface BlobServiceOptions {
  readonly port: number;
  /** Whoever has it may read everything. */
  readonly secret: string;
  readonly store: BlobStore;
  readonly log: Logger;
  /** Where bytes are, by the tables; undefined when no file ever had them. */
  place(hash: string): Promise<BlobPlaces | undefined>;
  node(id: string): NodeClient | undefined;
  /** What `GET /status` answers. */
  status(): Promise<object>;
  readonly step?: ((name: DownloadStep) => void | Promise<void>) | undefined;
}

/** The blob service at work. */
export interface BlobService {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves bytes that nodes have, on the loopback address: `GET /blobs/<hash>`, with `Range`, and `GET /status`. Errors are
 * `{"error": "<code>"}` with 401, 404, 416 or 503. Throws when the port is taken.
 */
export async function serveBlobs(options: BlobServiceOptions): Promise<BlobService> {
  const server = createServer((request, response) => {
    answer(request, response, options).catch((error) => {
      // The beginning is out already, so the end must not look like one.
      if (response.headersSent) response.destroy();
      else
        refuse(
          response,
          error instanceof BlobUnavailable ? 503 : 500,
          error instanceof BlobUnavailable ? error.code : "Internal",
        );
      if (!(error instanceof BlobUnavailable))
        options.log.warn({ err: error, url: request.url }, "bytes could not be given");
    });
  });
  server.listen({ port: options.port, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: BlobServiceOptions): Promise<void> {
  if (!hasSecret(request, options.secret)) return refuse(response, 401, "NotAuthenticated");
  if (request.method !== "GET") return refuse(response, 404, "NotFound");
  if (request.url === "/status") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(await options.status()));
    return;
  }
  const [, hash] = /^\/blobs\/([0-9a-f]{64})$/.exec(request.url ?? "") ?? [];
  const place = hash === undefined ? undefined : await options.place(hash);
  if (place === undefined) return refuse(response, 404, "BlobNotFound");
  const range = byteRange(request.headers.range, place.size);
  if (range === null) return refuse(response, 416, "BadRange", { "content-range": `bytes */${place.size}` });
  await sendBytes(place, range, response, options);
}

async function sendBytes(
  place: BlobPlaces,
  range: { readonly from: number; readonly to: number } | undefined,
  response: ServerResponse,
  options: BlobServiceOptions,
): Promise<void> {
  const { node, step, store } = options;
  const { from, to } = range ?? { from: 0, to: place.size };
  await step?.("download.located");
  const filling = from === 0 && to === place.size ? await startFilling(store, place) : undefined;
  try {
    for await (const piece of readPieces(place, { node, from, to })) {
      // Not before: until then another status can be answered.
      if (!response.headersSent) {
        writeHead(response, place.size, range);
        await step?.("download.firstPiece");
      }
      await filling?.write(piece);
      if (!response.write(piece)) await drained(response);
      if (response.destroyed) return;
    }
    if (!response.headersSent) writeHead(response, place.size, range);
    if (filling !== undefined) {
      await step?.("download.received");
      if (await filling.finish()) await step?.("download.filled");
    }
    response.end();
  } finally {
    await filling?.abandon();
  }
}

function writeHead(
  response: ServerResponse,
  size: number,
  range?: { readonly from: number; readonly to: number },
): void {
  const length = range === undefined ? size : range.to - range.from;
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": "application/octet-stream",
    "content-length": length,
    ...(range && { "content-range": `bytes ${range.from}-${range.to - 1}/${size}` }),
  });
}

/** Resolves when more may be written, or nobody reads any more. */
async function drained(response: ServerResponse): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).finally(() =>
    settled.abort(),
  );
}

function hasSecret(request: IncomingMessage, secret: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? "");
  const wanted = Buffer.from(`Bearer ${secret}`);
  return given.byteLength === wanted.byteLength && timingSafeEqual(given, wanted);
}

function refuse(response: ServerResponse, status: number, error: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ error }));
}
