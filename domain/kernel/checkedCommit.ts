import { type Commit, CorruptCommit, commitLimits, commitOf, rootsHold, textOf } from "./commit.ts";
import { leafHashAfterTag } from "./merkle.ts";

/**
 * The commit in these bytes, the roots of whose entries hold, or what is wrong with it. Never throws.
 *
 * An entry's root is over the bytes of its events. Whoever reads the whole log would spend most of the time writing events as text again
 * that were text before; so, where it is certain which part of the commit's bytes an event is, that part is taken.
 */
export function checkedCommit(bytes: Uint8Array): Commit | string {
  try {
    const commit = commitOf(textOf(bytes));
    return eventBytesHold(commit, bytes) || rootsHold(commit) ? commit : "an entry's root does not fit its events";
  } catch (error) {
    if (error instanceof CorruptCommit) return error.message;
    throw error;
  }
}

/**
 * Whether the commit has no opening brackets but that of `entries` and those of the one event of each entry, and the roots fit what
 * stands after these up to the next closing one. False says nothing: a list in an event, a bracket in a room's name, and the text must
 * be made anew.
 */
function eventBytesHold({ entries }: Commit, bytes: Uint8Array): boolean {
  if (bytes.length > copy.length) return false;
  copy.set(bytes);
  const all = copy.subarray(0, bytes.length);
  let at = all.indexOf(opening);
  for (const { events, root } of entries) {
    at = all.indexOf(opening, at + 1);
    if (at < 0 || events.length !== 1) return false;
    // The bracket's place is the tag's.
    if (leafHashAfterTag(all.subarray(at, all.indexOf(closing, at))) !== root) return false;
  }
  return all.indexOf(opening, at + 1) < 0;
}

const opening = "[".charCodeAt(0);
const closing = "]".charCodeAt(0);
/** The bytes of one commit at a time. */
const copy = Buffer.alloc(commitLimits.bytes);
