import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import type { WireError } from "@connect-hub/protocol";

/** A file as the hub answers that it has it. */
export interface FileAnswer {
  readonly file: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
}

export interface Upload {
  readonly room: string;
  readonly name: string;
  readonly type: string;
  /** A UUIDv7: the same key is the same upload, however often it is sent. */
  readonly key: string;
}

/** Where the edge answers, and a session. */
export interface Door {
  readonly address: string;
  readonly token: string;
}

/** What came of a download. */
export interface Download {
  readonly status: number;
  readonly bytes: number;
  /** SHA-256 of the body, 64 hex digits. */
  readonly hash: string;
  /** Of an answer that is an error. */
  readonly error: WireError | undefined;
}

/** The hub said no, and the same request would get the same answer. */
class Denied extends Error {
  readonly error: WireError;

  constructor(error: WireError) {
    super(`${error.name} ${JSON.stringify(error.detail ?? "")}`);
    this.error = error;
  }
}

/** The shortest and the longest pause before an upload is tried again. */
const pauses = { least: 50, most: 500 };

/**
 * Uploads bytes, again and again with the same key, until they are acknowledged: through dead lines, missing space and whatever else may
 * be tried again. Throws `Denied`, and the last trouble when `timeoutMs` are over.
 */
export async function uploadSurely(
  door: Door,
  upload: Upload,
  bytes: Blob | string,
  timeoutMs: number,
): Promise<FileAnswer> {
  const body = typeof bytes === "string" ? await openAsBlob(bytes) : bytes;
  const endsAt = Date.now() + timeoutMs;
  for (;;) {
    let pauseMs = pauses.least;
    try {
      return await uploadOnce(door, upload, body);
    } catch (error) {
      if (error instanceof Denied && !error.error.retry) throw error;
      if (Date.now() > endsAt) throw error;
      if (error instanceof Denied) pauseMs = Math.min(pauses.most, Math.max(pauses.least, error.error.afterMs ?? 0));
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Uploads bytes. Throws `Denied`, and what `fetch` throws when the line dies. */
async function uploadOnce({ address, token }: Door, upload: Upload, body: Blob): Promise<FileAnswer> {
  const url = new URL("/v1/files", address);
  url.searchParams.set("room", upload.room);
  url.searchParams.set("name", upload.name);
  const response = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": upload.type,
      "idempotency-key": upload.key,
    },
    body,
  });
  const answer: { readonly ok?: FileAnswer; readonly err?: WireError } = await response.json();
  if (answer.err !== undefined) throw new Denied(answer.err);
  if (answer.ok === undefined) throw new Error(`POST ${url.pathname} answered ${response.status} without a file.`);
  return answer.ok;
}

/** Downloads a file, or a range of it (`from` inclusive, `to` exclusive), and hashes it. Throws when the line dies. */
async function download(
  { address, token }: Door,
  file: string,
  range?: { readonly from: number; readonly to: number },
): Promise<Download> {
  const response = await fetch(new URL(`/v1/files/${file}`, address), {
    headers: {
      authorization: `Bearer ${token}`,
      ...(range && { range: `bytes=${range.from}-${range.to - 1}` }),
    },
  });
  if (!response.ok) {
    const { err }: { readonly err?: WireError } = await response.json();
    return { status: response.status, bytes: 0, hash: "", error: err };
  }
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    hash.update(piece);
  }
  return { status: response.status, bytes, hash: hash.digest("hex"), error: undefined };
}

/** The same, again while the line dies or the answer says that it may be tried again, for at most `timeoutMs`. */
export async function downloadSurely(
  door: Door,
  file: string,
  timeoutMs: number,
  range?: { readonly from: number; readonly to: number },
): Promise<Download> {
  const endsAt = Date.now() + timeoutMs;
  for (;;) {
    const done = await download(door, file, range).catch((error: unknown) => error);
    const isFinal = !(done instanceof Error) && (done as Download).error?.retry !== true;
    if (isFinal) return done as Download;
    if (Date.now() > endsAt) {
      if (done instanceof Error) throw done;
      return done as Download;
    }
    await new Promise((resolve) => setTimeout(resolve, pauses.most));
  }
}
