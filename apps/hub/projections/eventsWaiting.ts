import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type Commit, decodeCommit, type Lane, type ParkedMark, subjectsOf } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { contextOf } from "@connect-hub/domain/values";

const models = { accounts: accountModel, rooms: roomModel, content: contentModel };

/** How many events of each of these subjects of a lane wait, up to the head as it is now. Throws `LogUnavailable`. */
export async function eventsWaiting<T extends ParkedMark>(
  lane: Lane,
  marks: readonly T[],
): Promise<ReadonlyMap<T, number>> {
  const counts = new Map(marks.map((mark) => [mark, 0]));
  const head = await lane.lastNumber();
  const first = Math.min(...marks.map(({ from }) => from));
  if (marks.length === 0 || first > head) return counts;
  const names = [...new Set(marks.map(({ id }) => id))].map((id) => Buffer.from(JSON.stringify(id)));
  const done = new AbortController();
  for await (const batch of lane.read(first, done.signal)) {
    for (const { n, bytes } of batch) {
      // Most commits name none of them, and decoding takes time.
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (n > head || !names.some((name) => text.includes(name))) continue;
      for (const mark of marksIn(decodeCommit(bytes), marks)) counts.set(mark, (counts.get(mark) ?? 0) + 1);
    }
    if ((batch.at(-1)?.n ?? head) >= head) done.abort();
  }
  return counts;
}

/** The marks of the subjects that the events of a commit name, once for each event that waits. */
function* marksIn<T extends ParkedMark>(commit: Commit, marks: readonly T[]): Generator<T> {
  const model = models[contextOf(commit.lane)];
  for (const event of commit.entries.flatMap((entry) => entry.events)) {
    const subjects = subjectsOf(event, model);
    for (const mark of marks) {
      if (commit.n >= mark.from && subjects.some(({ kind, id }) => kind === mark.kind && id === mark.id)) yield mark;
    }
  }
}
