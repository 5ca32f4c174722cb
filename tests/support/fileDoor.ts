import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { downloadFile, HubError, type NewFile, type Part, uploadFile } from "@connect-hub/sdk";

/** Where the edge answers, and a session. */
export interface Door {
  readonly address: string;
  readonly token: string;
}

export interface Upload {
  readonly room: string;
  readonly name: string;
  readonly type: string;
  /** A UUIDv7: the same key is the same upload, however often it is sent. */
  readonly key: string;
}

/** What came of a download. */
export interface Download {
  readonly bytes: number;
  /** SHA-256 of the body, 64 hex digits. */
  readonly hash: string;
}

/** Between two tries. A hub that says when to come back is asked earlier: it may be better sooner than it thinks. */
const pauseMs = 200;

/**
 * Uploads bytes, or the file at a path, again and again with the same key until they are acknowledged: through dead lines, missing space
 * and whatever else may be tried again. Throws `HubError`, the last one when `timeoutMs` are over.
 */
export async function uploadSurely(
  { address: url, token }: Door,
  { room, name, type, key }: Upload,
  source: Uint8Array<ArrayBuffer> | string,
  timeoutMs: number,
): Promise<NewFile> {
  const bytes = typeof source === "string" ? await openAsBlob(source, { type }) : new Blob([source], { type });
  return surely(timeoutMs, () => uploadFile({ url, token, room, name, bytes, key }));
}

/**
 * Downloads a file, or a part of it, and hashes it; again while the line dies or the answer says that it may be tried again. Throws
 * `HubError`, the last one when `timeoutMs` are over.
 */
export function downloadSurely(
  { address: url, token }: Door,
  file: string,
  timeoutMs: number,
  part?: Part,
): Promise<Download> {
  return surely(timeoutMs, async () => {
    const response = await downloadFile({ url, token, file, ...(part && { part }) });
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const piece of response.body ?? []) {
      bytes += piece.length;
      hash.update(piece);
    }
    return { bytes, hash: hash.digest("hex") };
  });
}

/** Tries until it works: through dead lines and refusals that may be tried again. Throws the last error when `timeoutMs` are over. */
export async function surely<T>(timeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const endsAt = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      // A body that is cut off in the middle is no `HubError`, and may be whole the next time.
      const isFinal = error instanceof HubError && !error.retry;
      if (isFinal || Date.now() > endsAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
