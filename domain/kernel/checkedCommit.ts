import { type Commit, CorruptCommit, commitOf, decodeCommit, rootsHold } from "./commit.ts";
import { leafHash } from "./merkle.ts";

/**
 * The commit in these bytes, the roots of whose entries hold, or what is wrong with it. Never throws.
 *
 * An entry's root is over the text of its events. Whoever reads the whole log would spend most of the time writing events as text again
 * that were text before; so, where an entry has one event, its text is cut out first, and the rest of the commit is parsed around it.
 */
export function checkedCommit(bytes: Uint8Array): Commit | string {
  try {
    const cut = cutCommit(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    if (cut?.holds === true) return cut.commit;
    // It is no commit, its roots don't hold, or it is written in another way: then each event is looked at.
    const commit = decodeCommit(bytes);
    return rootsHold(commit) ? commit : "an entry's root does not fit its events";
  } catch (error) {
    if (error instanceof CorruptCommit) return error.message;
    throw error;
  }
}

const before = '"events":[';
const after = '],"root":"';

/** Undefined unless the events stand where they are looked for, and nowhere else. Throws `CorruptCommit`. */
function cutCommit(text: string): { readonly commit: Commit; readonly holds: boolean } | undefined {
  const texts: string[] = [];
  let frame = "";
  let done = 0;
  for (let at = text.indexOf(before); at !== -1; at = text.indexOf(before, done)) {
    const start = at + before.length;
    const end = text.indexOf(after, start);
    if (end === -1) return undefined;
    // In the frame each event is its place in the list.
    frame += text.slice(done, start) + texts.length;
    texts.push(text.slice(start, end));
    done = end;
  }
  const framed = parsed(frame + text.slice(done));
  if (!isFrame(framed) || framed.entries.length !== texts.length) return undefined;
  for (const [index, entry] of framed.entries.entries()) {
    // What was cut out must be just this entry's events, and one event: a text that is whole by itself.
    const event = entry.events.length === 1 && entry.events[0] === index ? parsed(texts[index] ?? "") : undefined;
    if (event === undefined) return undefined;
    entry.events[0] = event;
  }
  const commit = commitOf(framed);
  return { commit, holds: commit.entries.every(({ root }, index) => leafHash(texts[index] ?? "") === root) };
}

interface Frame {
  readonly entries: readonly { readonly events: unknown[] }[];
}

function isFrame(value: unknown): value is Frame {
  if (typeof value !== "object" || value === null || !("entries" in value) || !Array.isArray(value.entries))
    return false;
  return value.entries.every((entry) => typeof entry === "object" && entry !== null && Array.isArray(entry.events));
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
