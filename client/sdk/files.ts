import type { FileAnswer } from "@connect-hub/protocol";
import { answerIn, type HttpAnswer, httpAnswer, httpFetch, httpHeaders, notAnAnswer, textIn } from "./http.ts";
import { sendBytes } from "./sendBytes.ts";

/** Where, and who asks. */
export interface FileOptions {
  /** For example `http://127.0.0.1:7750`. */
  readonly url: string;
  /** Of a sign-in. */
  readonly token: string;
  /** Stops it; then the signal's reason is thrown. */
  readonly signal?: AbortSignal;
}

/** A file that was made, not in a message yet. */
export interface NewFile extends FileAnswer {
  /** Covers it; whoever posts it at once sends this along. A `Client` does so by itself. */
  readonly position: string;
}

/** What is uploaded. */
export interface Upload {
  /** The room in which it is to be posted. */
  readonly room: string;
  readonly name: string;
  /** Without a type of its own (`Blob.type`) it is any bytes. In Node, `openAsBlob` of `node:fs` reads from the disk. */
  readonly bytes: Blob | Uint8Array<ArrayBuffer>;
  /** SHA-256 of the bytes, hex: the server checks it and keeps nothing of other bytes. */
  readonly sha256?: string;
  /** A UUIDv7; the same key with the same bytes is the same file, however often it is sent. The server makes one if it is left out. */
  readonly key?: string;
  /** Told now and then how many of how many bytes were handed to the line; may not throw. */
  readonly onProgress?: (sent: number, size: number) => void;
}

/** Bytes `from` (inclusive) to `to` (exclusive; the end if left out). */
export interface Part {
  readonly from: number;
  readonly to?: number;
}

/** Uploads a file for a room. Throws `HubError`; when that may be retried, with the same key it stays one file. */
export async function uploadFile(options: FileOptions & Upload): Promise<NewFile> {
  const { url, token, signal, room, name, bytes, sha256, key, onProgress } = options;
  const at = new URL("/v1/files", url);
  at.search = new URLSearchParams({ room, name }).toString();
  const type = bytes instanceof Blob ? bytes.type : "";
  const headers = {
    ...httpHeaders(key, token),
    "content-type": type === "" ? "application/octet-stream" : type,
    ...(sha256 !== undefined && { "content-digest": `sha-256=:${base64OfHex(sha256)}:` }),
  };
  return newFile(await sendBytes(at, { headers, bytes, signal, onProgress }));
}

/** Makes a new file on the bytes of one that the asker may read, for another room. Throws `HubError`. */
export async function forwardFile(
  options: FileOptions & { readonly file: string; readonly room: string; readonly key?: string },
): Promise<NewFile> {
  const { url, token, signal, file, room, key } = options;
  const headers = { "content-type": "application/json", ...httpHeaders(key, token) };
  const init = { method: "POST", headers, body: JSON.stringify({ room }), ...(signal && { signal }) };
  return newFile(await httpAnswer(new URL(`${fileUrl(url, file)}/forward`), init));
}

/**
 * Downloads a file, or a part of it: the answer's body is a stream, `blob()` and `arrayBuffer()` read it whole. Throws `HubError`,
 * `FileNotFound` also for a file that the asker may not read, `LineDead` when nothing came within 25 s.
 */
export async function downloadFile(
  options: FileOptions & { readonly file: string; readonly part?: Part },
): Promise<Response> {
  const { url, token, signal, file, part } = options;
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (part !== undefined) headers.range = `bytes=${part.from}-${part.to === undefined ? "" : part.to - 1}`;
  const at = new URL(fileUrl(url, file));
  const response = await httpFetch(at, { headers, ...(signal && { signal }) }, firstByteMs);
  if (response.ok) return response;
  await answerIn(response, signal);
  throw notAnAnswer();
}

/** The edge waits 20 s for a node that has the bytes. */
const firstByteMs = 25_000;

function newFile({ ok, p }: HttpAnswer): NewFile {
  const { size } = ok as { readonly size?: unknown };
  if (typeof size !== "number") throw notAnAnswer();
  const [file, name, type, hash] = ["file", "name", "type", "hash"].map((field) => textIn(ok, field));
  return { file, name, type, size, hash, position: p } as NewFile;
}

function base64OfHex(hex: string): string {
  const bytes = hex.match(/../g)?.map((digits) => Number.parseInt(digits, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes));
}

/** Where a file is; asked for with the token of a session as `Authorization: Bearer`. */
export function fileUrl(url: string, file: string): string {
  return new URL(`/v1/files/${encodeURIComponent(file)}`, url).href;
}
