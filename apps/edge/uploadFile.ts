import type { BlobStore, Received } from "@connect-hub/blobs";
import type { UploadStep } from "@connect-hub/domain/content";
import { type CommandReply, pause } from "@connect-hub/domain/kernel";
import { isRetryable, type JsonObject } from "@connect-hub/domain/values";
import { errorEntry } from "@connect-hub/protocol";
import type { HttpRequest } from "@connect-hub/uws";
import type { EdgeLanes } from "./edgeLanes.ts";
import { type UploadHead, uploadHead } from "./fileHeaders.ts";
import { isInRoom } from "./fileRights.ts";
import { newKey } from "./httpMessages.ts";
import { Refused, refusalOf } from "./refusals.ts";
import { assertSession, type Who } from "./sessions.ts";
import { steadyUpload } from "./steadyUpload.ts";
import type { ClientCommand } from "./toCommand.ts";
import type { TransferSlots } from "./transferSlots.ts";

/** What uploads are taken with. */
export interface UploadSources {
  readonly lanes: EdgeLanes;
  readonly blobs: BlobStore;
  readonly uploads: TransferSlots;
  /** Bytes of one file. */
  readonly fileBytes: number;
  readonly uploadStep?: ((name: UploadStep) => void | Promise<void>) | undefined;
  send(command: ClientCommand): Promise<CommandReply>;
}

/** Who uploads, and with which key. */
export type Uploader = Pick<ClientCommand, "key" | "ip" | "userAgent"> & { readonly who: Who };

/** So long the claim is tried again: the bytes are here, and the client should not have to send them twice. */
const claimTimeoutMs = 20_000;

/**
 * Takes a file in: room for it, the bytes, their hash, their name on the disk, and only then the claim on the log. Throws `Refused`, what
 * the sources throw, and `RequestAborted`; then nothing of the bytes is left that was not here before, except when only the
 * claim failed.
 */
export async function uploadFile(
  request: HttpRequest,
  uploader: Uploader,
  sources: UploadSources,
): Promise<CommandReply> {
  const { lanes, blobs, uploads, fileBytes, uploadStep } = sources;
  const head = uploadHead(request, fileBytes);
  if (!(await isInRoom(head.room, uploader.who.user, lanes))) throw new Refused("RoomNotFound");
  if (request.stream === undefined) throw new Error("an upload comes as a stream");
  const release = uploads.take(uploader.who.user);
  let giveBack: () => void = () => undefined;
  let received: Received | undefined;
  try {
    giveBack = await blobs.reserve(head.size);
    received = await blobs.receive(steadyUpload(request.stream, head.size), {
      declaredBytes: head.size,
      step: uploadStep,
    });
    return await takeIn(received, head, uploader, sources);
  } finally {
    await received?.discard();
    giveBack();
    release();
  }
}

/**
 * Gives bytes that are on the disk their name, and claims the file. Throws `Refused` (`WrongDigest`, or the session is over), and what the
 * sources throw.
 */
export async function takeIn(
  received: Omit<Received, "discard">,
  { digest, ...head }: UploadHead,
  uploader: Uploader,
  sources: UploadSources,
): Promise<CommandReply> {
  const { lanes, blobs, uploadStep } = sources;
  const { hash, chunks } = received;
  if (digest !== undefined && digest !== hash) throw new Refused("WrongDigest", { sha256: hash });
  await assertSession(uploader.who, lanes);
  const wasHere = (await blobs.sizeOf(hash)) === head.size;
  await received.commit();
  const data = { ...head, hash, chunks };
  const reply = await claim({ ...uploader, method: "claimFile", data }, sources);
  // No bytes without a record: nobody would ever find them, and to remove them could take them from another upload.
  if (isRefusedForGood(reply) && !wasHere)
    await claim({ ...uploader, key: newKey(sources.lanes.clock.now()), method: "claimFile", data }, sources);
  // It may have been dropped before the log knew that this claim counts on it.
  await received.commit();
  await uploadStep?.("upload.claimed");
  return reply;
}

/** The same key each time, so it happens once. */
async function claim(
  command: ClientCommand & { readonly data: JsonObject },
  { send }: Pick<UploadSources, "send">,
): Promise<CommandReply> {
  const giveUpAt = performance.now() + claimTimeoutMs;
  for (;;) {
    const reply = await send(command).catch((error: unknown): CommandReply => {
      const { wire, isBug } = refusalOf(error);
      if (isBug || !wire.retry || performance.now() > giveUpAt) throw error;
      return { refused: { code: "Unavailable" } };
    });
    if (!("refused" in reply) || isRefusedForGood(reply) || performance.now() > giveUpAt) return reply;
    const waitMs = errorEntry(reply.refused.code).afterMs ?? 0;
    await pause(waitMs);
  }
}

/** Because of the key, as all else was checked before. */
export function isRefusedForGood(reply: CommandReply): boolean {
  return "refused" in reply && !isRetryable(reply.refused.code);
}
