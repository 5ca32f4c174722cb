import type { HeldUpload, SeenUpload, UploadName } from "@connect-hub/blobs";
import { CommandId, type JsonObject, limits } from "@connect-hub/domain/values";
import { describeIssues, type UploadAnswer, uploadInput } from "@connect-hub/protocol";
import type { HttpRequest, HttpResponse } from "@connect-hub/uws";
import { lengthIn, typeIn, type UploadHead } from "./fileHeaders.ts";
import { isInRoom } from "./fileRights.ts";
import { bodyOf, json } from "./httpMessages.ts";
import { Refused } from "./refusals.ts";
import { answerOf } from "./socketDoor.ts";
import { steadyUpload } from "./steadyUpload.ts";
import { isRefusedForGood, takeIn, type Uploader, type UploadSources } from "./uploadFile.ts";

// Uploads that are gone on with after a break. The key that one is begun with is its name, and that of the claim at its end: whoever
// asks again gets the same upload and the same file. Another person's upload of that name is another one.

/** Begins one, or finds it; says how far it is. Throws `Refused`, `StoreFull`, `TooManyUploads`, and what the sources throw. */
export async function beginUpload(
  request: HttpRequest,
  uploader: Uploader,
  sources: UploadSources,
): Promise<HttpResponse> {
  const { blobs, lanes, fileBytes } = sources;
  const { room, name, type, size, digest } = headIn(bodyOf(request));
  if (size > fileBytes) throw new Refused("FileTooLarge", { most: fileBytes });
  if (!(await isInRoom(room, uploader.who.user, lanes))) throw new Refused("RoomNotFound");
  const about = { room, name, type, ...(digest !== undefined && { digest }) };
  const seen = await blobs.uploads.begin(nameOf(uploader), { size, about }, limits.openUploads);
  if (JSON.stringify([seen.size, seen.about]) !== JSON.stringify([size, about])) throw new Refused("KeyReused");
  return told(201, seen, uploader, sources);
}

/** Says how far it is. Throws `Refused`. */
export async function lookAtUpload(_: HttpRequest, uploader: Uploader, sources: UploadSources): Promise<HttpResponse> {
  return told(200, await find(uploader, sources), uploader, sources);
}

/**
 * Writes what comes behind what is there, and says how far it is then; of the last bytes the answer is the file. What came before a line
 * died stays. Throws `Refused`, `UploadTaken`, and what the sources throw.
 */
export async function goOnWithUpload(
  request: HttpRequest,
  uploader: Uploader,
  sources: UploadSources,
): Promise<HttpResponse> {
  const length = lengthIn(request.headers);
  const offset = offsetIn(request);
  const seen = await find(uploader, sources);
  assertFits(seen, offset, length);
  if (seen.answer !== undefined) return json(201, seen.answer);
  const release = sources.uploads.take(uploader.who.user);
  try {
    const held = await sources.blobs.uploads.take(nameOf(uploader));
    try {
      assertFits(held, offset, length);
      if (request.stream === undefined) throw new Error("an upload comes as a stream");
      await held.append(steadyUpload(request.stream, length));
      if (held.offset === held.size) return await finish(held, headOf(seen), uploader, sources);
      return told(200, { ...seen, offset: held.offset }, uploader, sources);
    } finally {
      await held.release();
    }
  } finally {
    release();
  }
}

/** Forgets it, with what came of it. Throws `Refused`. */
export async function dropUpload(_: HttpRequest, uploader: Uploader, sources: UploadSources): Promise<HttpResponse> {
  if (!(await sources.blobs.uploads.drop(nameOf(uploader)))) throw new Refused("UploadNotFound");
  return json(200, { ok: {}, p: positionFor(sources) });
}

async function finish(
  held: HeldUpload,
  head: UploadHead,
  uploader: Uploader,
  sources: UploadSources,
): Promise<HttpResponse> {
  if (!(await isInRoom(head.room, uploader.who.user, sources.lanes))) throw new Refused("RoomNotFound");
  const { uploads } = sources.blobs;
  try {
    const reply = await takeIn(await held.received(), head, uploader, sources);
    if (isRefusedForGood(reply)) await uploads.drop(nameOf(uploader));
    const answer = answerOf(reply);
    await held.done({ ok: answer.ok, p: answer.p } as JsonObject);
    return json(201, answer);
  } catch (error) {
    // Others come no more from here: what is there is wrong.
    if (error instanceof Refused && error.wire.name === "WrongDigest") await uploads.drop(nameOf(uploader));
    throw error;
  }
}

async function find(uploader: Uploader, { blobs }: UploadSources): Promise<SeenUpload> {
  const seen = await blobs.uploads.look(nameOf(uploader));
  if (seen === undefined) throw new Refused("UploadNotFound");
  return seen;
}

/** What is no key names nothing. */
function nameOf({ who, key }: Uploader): UploadName {
  if (!CommandId.safeParse(key).success) throw new Refused("UploadNotFound");
  return { whose: who.user, id: key };
}

function told(status: 200 | 201, seen: SeenUpload, { key }: Uploader, sources: UploadSources): HttpResponse {
  const { offset, size, expiresAt } = seen;
  const ok: UploadAnswer = { upload: key, offset, size, expiresAt: expiresAt.toISOString() };
  const response = json(status, { ok, p: positionFor(sources) });
  const headers = {
    ...response.headers,
    ...(status === 201 && { location: `/v1/uploads/${key}` }),
    "upload-offset": String(offset),
    "upload-length": String(size),
  };
  return { ...response, headers };
}

/** All that it rests on is who asks. */
function positionFor({ lanes }: UploadSources): string {
  return lanes.position([lanes.accounts]);
}

function headIn(body: JsonObject): UploadHead {
  const read = uploadInput.safeParse(body);
  if (!read.success) throw new Refused("BadInput", describeIssues(read.error.issues));
  const { room, name, size, type, sha256 } = read.data;
  return { room, name, size, type: typeIn(type), digest: sha256 };
}

function headOf({ size, about }: SeenUpload): UploadHead {
  const { room, name, type, digest } = about;
  return {
    room: String(room),
    name: String(name),
    type: String(type),
    size,
    digest: digest === undefined ? undefined : String(digest),
  };
}

function offsetIn({ headers }: HttpRequest): number {
  const offset = headers.get("upload-offset") ?? "";
  if (!/^\d{1,15}$/.test(offset))
    throw new Refused("BadInput", [{ at: "Upload-Offset", message: "must be the number of bytes that are there" }]);
  return Number(offset);
}

/** Throws `Refused` unless so many bytes may come from there on. */
function assertFits(upload: { readonly offset: number; readonly size: number }, offset: number, length: number): void {
  if (upload.offset !== offset) throw new Refused("WrongOffset", { offset: upload.offset });
  if (offset + length > upload.size) throw new Refused("FileTooLarge", { most: upload.size });
}
