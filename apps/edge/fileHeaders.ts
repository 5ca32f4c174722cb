import type { Row } from "@connect-hub/domain/kernel";
import { type Json, limits } from "@connect-hub/domain/values";
import type { RequestHead } from "@connect-hub/uws";
import { Refused } from "./refusals.ts";

/** What an upload says of itself. */
export interface UploadHead {
  readonly room: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** The SHA-256 that the bytes must have, hex. */
  readonly digest: string | undefined;
}

const anyType = "application/octet-stream";
const mostTypeLength = 127;
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

/** Reads it, all but the room. Throws `Refused`: `BadInput`, `LengthRequired`, `FileTooLarge` (more than `mostBytes`). */
export function uploadHead({ query, headers }: RequestHead, mostBytes: number): UploadHead {
  const name = query.get("name") ?? "";
  if (name.length < 1 || name.length > limits.fileNameLength || !name.isWellFormed() || name.includes("\0"))
    throw badInput("name", `must have 1 to ${limits.fileNameLength} characters, no NUL`);
  const digest = digestIn(headers.get("content-digest"));
  const size = lengthIn(headers);
  if (size > mostBytes) throw new Refused("FileTooLarge", { most: mostBytes });
  return { room: query.get("room") ?? "", name, type: typeIn(headers.get("content-type")), size, digest };
}

/** How many bytes come. Throws `Refused` (`LengthRequired`). */
export function lengthIn(headers: RequestHead["headers"]): number {
  const length = headers.get("content-length");
  if (length === undefined || !/^\d{1,15}$/.test(length)) throw new Refused("LengthRequired");
  return Number(length);
}

/** The SHA-256 of a `Content-Digest` (RFC 9530), hex; undefined when none is named. */
function digestIn(header: string | undefined): string | undefined {
  const [, named] = /(?:^|,)\s*sha-256=([^,]*)/i.exec(header ?? "") ?? [];
  if (named === undefined) return undefined;
  const [, base64] = /^:([A-Za-z0-9+/]{43}=):$/.exec(named.trim()) ?? [];
  if (base64 === undefined) throw badInput("Content-Digest", "sha-256 must be 32 bytes in base64 between colons");
  return Buffer.from(base64, "base64").toString("hex");
}

/** The media type without its parameters; what is none stands for any bytes. */
export function typeIn(header: string | undefined): string {
  const type = (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type.length <= mostTypeLength && new RegExp(`^${token}/${token}$`).test(type) ? type : anyType;
}

function badInput(at: string, message: string): Refused {
  return new Refused("BadInput", [{ at, message }] satisfies Json);
}

/** What a file is called; `file` when its name was erased. */
export function nameOf({ filename_visible: name }: Row): string {
  return typeof name === "string" ? name : "file";
}

/** A `Content-Disposition` (RFC 6266) by which a browser saves a file under its name, and shows nothing of it by itself. */
export function attachment(name: string): string {
  const plain = name.replace(/[^ -~]|["\\%]/g, "_");
  const exact = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}

/** Whether an `If-None-Match` names this entity tag. */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === "*" || header.split(",").some((named) => named.trim().replace(/^W\//, "") === tag);
}
