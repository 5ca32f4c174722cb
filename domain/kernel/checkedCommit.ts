import { type Commit, CorruptCommit, commitOf, rootsHold, textOf } from "./commit.ts";
import { leafHash } from "./merkle.ts";

/**
 * The commit in these bytes, the roots of whose entries hold, or what is wrong with it. Never throws.
 *
 * An entry's root is over the text of its events. Whoever reads the whole log would spend most of the time writing events as text again
 * that were text before; so, where it is certain which part of the commit's text an event is, that part is taken.
 */
export function checkedCommit(bytes: Uint8Array): Commit | string {
  try {
    const text = textOf(bytes);
    const commit = commitOf(text);
    return eventTextsHold(commit, text) || rootsHold(commit) ? commit : "an entry's root does not fit its events";
  } catch (error) {
    if (error instanceof CorruptCommit) return error.message;
    throw error;
  }
}

/**
 * Whether the commit's text has no brackets but those around `entries` and around the one event of each entry, and the roots fit what
 * stands between these. False says nothing: a list in an event, a bracket in a room's name, and the text must be made anew.
 */
function eventTextsHold({ entries }: Commit, text: string): boolean {
  // Up to the entries, up to the first entry's event, that event and on to the next one, and so forth.
  const parts = text.split("[");
  if (parts.length !== entries.length + 2) return false;
  return entries.every(({ events, root }, index) => {
    const part = parts[index + 2] ?? "";
    return events.length === 1 && leafHash(part.slice(0, part.indexOf("]"))) === root;
  });
}
