import * as z from "zod";
import { refusalCodes } from "../values/rejections.ts";
import type { Command, CommandReply } from "./command.ts";

// A format between processes of one system; `docs/format.md` shows its golden bytes.

/** A command or its answer with the number that holds the two together; the sender chose it. */
export type Numbered<T> = readonly [c: number, item: T];

/** What one message held, and how many things in it were not what they must be. */
export interface Unpacked<T> {
  readonly items: readonly Numbered<T>[];
  readonly malformed: number;
}

/** A message is shorter than this, but for one that holds a single item. */
export const messageBytes = 512 * 1024;

const CommandItem = z.tuple([
  z.int(),
  z.object({
    key: z.object({ actor: z.string(), id: z.string() }),
    kind: z.string(),
    subject: z.string(),
    data: z.record(z.string(), z.unknown()),
    after: z.optional(z.string()),
    deadlineAt: z.number(),
    meta: z.optional(z.record(z.string(), z.unknown())),
  }),
]);
const ReplyItem = z.tuple([
  z.int(),
  z.union([
    z.object({ ok: z.unknown().refine((ok) => ok !== undefined), position: z.string() }),
    z.object({ refused: z.object({ code: z.enum(refusalCodes), detail: z.optional(z.unknown()) }) }),
  ]),
]);

/** A message, and the numbers of what it holds. */
export interface Packed {
  readonly bytes: Uint8Array;
  readonly numbers: readonly number[];
}

/** The messages for these commands, in order: each a JSON array of `[c, command]`. */
export function packCommands(commands: readonly Numbered<Command>[]): Packed[] {
  return pack(commands);
}

/** The commands in a message. Only the outer shape is checked: what `kind` and `data` hold is the writer's to judge. */
export function unpackCommands(bytes: Uint8Array): Unpacked<Command> {
  return unpack(bytes, (item): item is Numbered<Command> => CommandItem.safeParse(item).success);
}

/** The messages for these answers, in order: each a JSON array of `[c, reply]`. */
export function packReplies(replies: readonly Numbered<CommandReply>[]): Packed[] {
  return pack(replies);
}

/** The answers in a message. */
export function unpackReplies(bytes: Uint8Array): Unpacked<CommandReply> {
  return unpack(bytes, (item): item is Numbered<CommandReply> => ReplyItem.safeParse(item).success);
}

function pack(items: readonly Numbered<unknown>[]): Packed[] {
  const messages: Packed[] = [];
  let texts: string[] = [];
  let numbers: number[] = [];
  let size = 0;
  const close = () => {
    if (texts.length > 0) messages.push({ bytes: Buffer.from(`[${texts.join(",")}]`), numbers });
    texts = [];
    numbers = [];
    size = 0;
  };
  for (const item of items) {
    const text = JSON.stringify(item);
    const length = Buffer.byteLength(text) + 2;
    if (size + length > messageBytes) close();
    texts.push(text);
    numbers.push(item[0]);
    size += length;
  }
  close();
  return messages;
}

function unpack<T>(bytes: Uint8Array, isItem: (item: unknown) => item is Numbered<T>): Unpacked<T> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return { items: [], malformed: 1 };
  }
  if (!Array.isArray(parsed)) return { items: [], malformed: 1 };
  const items = parsed.filter(isItem);
  return { items, malformed: parsed.length - items.length };
}
