import type { FileAnswer } from "@connect-hub/protocol";
import { answerIn, type HttpAnswer, httpAnswer, httpFetch, httpHeaders, notAnAnswer, textIn } from "./http.ts";
import { persistently } from "./persistently.ts";
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
  /**
   * A UUIDv7; the same key with the same bytes is the same file, however often it is sent; who keeps it can go on with the upload in
   * another process or after a page was loaded anew. The server makes one if it is left out.
   */
  readonly key?: string;
  /** Told now and then how many of how many bytes were handed to the line; fewer again after a break. May not throw. */
  readonly onProgress?: (sent: number, size: number) => void;
  /** How long it is tried again without any byte getting through, in milliseconds; default 60,000. */
  readonly patienceMs?: number;
}

/** Bytes `from` (inclusive) to `to` (exclusive; the end if left out). */
export interface Part {
  readonly from: number;
  readonly to?: number;
}

/**
 * Uploads a file for a room. When the line breaks it goes on by itself from what the server has; so does a later call with the same key
 * and bytes, for a day. Throws `HubError`: a refusal, or that nothing moved for `patienceMs`.
 */
export function uploadFile(options: FileOptions & Upload): Promise<NewFile> {
  const { patienceMs = defaultPatienceMs, signal, bytes } = options;
  let upload = options;
  const attempt = (told: (offset: number) => void): Promise<NewFile> => {
    if (sizeOf(bytes) <= smallBytes) return sendWhole(upload);
    return goOn(upload, (key, offset) => {
      upload = { ...options, key };
      told(offset);
    });
  };
  return persistently(attempt, { patienceMs, signal });
}

/** Forgets an upload that is not to be gone on with, by its key; it counts as open until then. Throws `HubError`. */
export async function dropUpload({ url, token, signal, key }: FileOptions & { readonly key: string }): Promise<void> {
  const init = { method: "DELETE", headers: httpHeaders(key, token), ...(signal && { signal }) };
  await httpAnswer(new URL(`/v1/uploads/${encodeURIComponent(key)}`, url), init);
}

/** So small a file is sent in one request, again from its beginning if need be. */
const smallBytes = 1024 * 1024;
const defaultPatienceMs = 60_000;

async function sendWhole({ url, token, signal, room, name, bytes, sha256, key, onProgress }: FileOptions & Upload) {
  const at = new URL("/v1/files", url);
  at.search = new URLSearchParams({ room, name }).toString();
  const headers = {
    ...httpHeaders(key, token),
    "content-type": typeOf(bytes),
    ...(sha256 !== undefined && { "content-digest": `sha-256=:${base64OfHex(sha256)}:` }),
  };
  return newFile(await sendBytes(at, { method: "POST", headers, bytes, signal, onProgress }));
}

/** Begins the upload, or finds it, and sends what is missing. `told` is told its key and how much the server has. */
async function goOn(upload: FileOptions & Upload, told: (key: string, offset: number) => void): Promise<NewFile> {
  const { url, token, signal, room, name, bytes, sha256, key, onProgress } = upload;
  const size = sizeOf(bytes);
  const body = JSON.stringify({ room, name, type: typeOf(bytes), size, ...(sha256 !== undefined && { sha256 }) });
  const headers = { "content-type": "application/json", ...httpHeaders(key, token) };
  const init = { method: "POST", headers, body, ...(signal && { signal }) };
  const { ok } = await httpAnswer(new URL("/v1/uploads", url), init);
  const { offset } = ok as { readonly offset?: unknown };
  if (typeof offset !== "number") throw notAnAnswer();
  const id = textIn(ok, "upload");
  told(id, offset);
  const answer = await sendBytes(new URL(`/v1/uploads/${id}`, url), {
    method: "PATCH",
    headers: { authorization: `Bearer ${token}`, "upload-offset": `${offset}` },
    bytes: bytes.slice(offset),
    signal,
    onProgress: onProgress && ((sent) => onProgress(offset + sent, size)),
  });
  return newFile(answer);
}

function sizeOf(bytes: Upload["bytes"]): number {
  return bytes instanceof Blob ? bytes.size : bytes.byteLength;
}

function typeOf(bytes: Upload["bytes"]): string {
  return (bytes instanceof Blob && bytes.type) || "application/octet-stream";
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
