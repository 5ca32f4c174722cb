import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { WireError } from "@connect-hub/protocol";
import { newKey } from "./bareSocket.ts";

/** What an upload or a forward answers. */
export interface MadeFile {
  readonly file: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly hash: string;
}

/** An answer of a door: `ok` or `err`. */
export interface Answered {
  readonly status: number;
  readonly ok: MadeFile;
  readonly p: string;
  readonly err?: WireError;
}

/** What an upload says beside its bytes. */
export interface UploadExtras {
  readonly name?: string;
  readonly key?: string;
  readonly headers?: Record<string, string>;
}

/** Somebody at a door of files. */
export interface FileUser {
  readonly url: string;
  readonly token: string;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const bearer = ({ token }: FileUser) => ({ authorization: `Bearer ${token}` });

/** Uploads over HTTP, as any client could. */
export async function upload(
  user: FileUser,
  room: string,
  bytes: Uint8Array,
  extras: UploadExtras = {},
): Promise<Answered> {
  const { name = "a.bin", key = newKey(), headers } = extras;
  const response = await fetch(`${user.url}/v1/files?room=${room}&name=${encodeURIComponent(name)}`, {
    method: "POST",
    body: bytes as Uint8Array<ArrayBuffer>,
    headers: { ...bearer(user), "idempotency-key": key, ...headers },
  });
  return { status: response.status, ...((await response.json()) as Omit<Answered, "status">) };
}

/** What a request about an upload that may be gone on with answers. */
export interface UploadAnswered {
  readonly status: number;
  readonly headers: Headers;
  readonly ok: { readonly upload: string; readonly offset: number; readonly size: number } & MadeFile;
  readonly p: string;
  readonly err?: WireError;
}

/** Begins an upload, of 8 bytes unless said otherwise. */
export function begin(user: FileUser, room: string, said: object = {}, key = newKey()): Promise<UploadAnswered> {
  const body = JSON.stringify({ room, name: "a.bin", size: 8, ...said });
  return aboutUpload(user, "", { method: "POST", body, headers: { "idempotency-key": key } });
}

/** Sends bytes of an upload from `offset` on. */
export function goOn(user: FileUser, id: string, offset: number, bytes: Uint8Array): Promise<UploadAnswered> {
  const body = bytes as Uint8Array<ArrayBuffer>;
  return aboutUpload(user, `/${id}`, { method: "PATCH", body, headers: { "upload-offset": `${offset}` } });
}

/** Asks about an upload. */
export async function aboutUpload(user: FileUser, path: string, init: RequestInit = {}): Promise<UploadAnswered> {
  const headers = { ...bearer(user), ...(init.headers as Record<string, string>) };
  const response = await fetch(`${user.url}/v1/uploads${path}`, { ...init, headers });
  const read = (await response.json()) as Omit<UploadAnswered, "status" | "headers">;
  return { status: response.status, headers: response.headers, ...read };
}

/** Gets a file, or what stands in its place. */
export function download(
  user: FileUser,
  file: string,
  headers?: Record<string, string>,
  method = "GET",
): Promise<Response> {
  return fetch(`${user.url}/v1/files/${file}`, { method, headers: { ...bearer(user), ...headers } });
}

/** The SHA-256 of what is downloaded, or the name of the error. */
export async function hashOf(user: FileUser, file: string): Promise<string> {
  const response = await download(user, file);
  if (response.ok) return sha256(new Uint8Array(await response.arrayBuffer()));
  return ((await response.json()) as { err: WireError }).err.name;
}

/** Files that are not whole yet in a folder of content. */
export const temporaryIn = (folder: string): string[] => readdirSync(join(folder, "tmp"));

/** The hashes of all bytes in a folder of content. */
export function blobsIn(folder: string): string[] {
  return readdirSync(join(folder, "blobs")).flatMap((prefix) => readdirSync(join(folder, "blobs", prefix)));
}
