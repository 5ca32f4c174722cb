import { emailHashOf } from "@connect-hub/domain/account";
import { factRef, type KeyedHashes, type LaneFollower } from "@connect-hub/domain/kernel";
import { type JsonObject, limits, type Role } from "@connect-hub/domain/values";
import {
  describeIssues,
  isQuery,
  type Person,
  type QueryAnswers,
  type QueryInput,
  type QueryName,
  queryInputs,
} from "@connect-hub/protocol";
import { type ReadAboutRoom, roomAsOf } from "./asOf.ts";
import { knowFacts, rowAt } from "./edgeLanes.ts";
import { Refused } from "./refusals.ts";
import { textSeenFrom } from "./roomFrame.ts";
import { eventsBetween, type ReadRows } from "./roomHistory.ts";
import { candidateRooms, type RoomSources, roomSetVersion, roomState, statesIn } from "./roomStates.ts";
import { assertSession, type Who } from "./sessions.ts";

/** What queries are answered from. */
export interface QuerySources extends RoomSources {
  readonly hashes: Pick<KeyedHashes, "lookup">;
  readonly readRows: ReadRows;
  readonly readAboutRoom: ReadAboutRoom;
  /** Ids of a room's members that come after `after`, in order, as the read tables have them. */
  memberIdsOf(room: string, after: string | undefined, limit: number): Promise<readonly string[]>;
}

/** The JSON text of an answer, and a token of what it rests on. */
export interface QueryAnswer {
  readonly okText: string;
  readonly p: string;
}

/**
 * Answers query `name` for a session, which still holds then, from facts at the followers' heads, which are at least as far as `after`. Throws `Refused`, or
 * what the sources throw.
 */
export async function answerQuery(
  asked: {
    readonly name: string;
    readonly data: JsonObject;
    readonly after?: string | undefined;
    readonly who: Pick<Who, "user" | "session">;
  },
  sources: QuerySources,
): Promise<QueryAnswer> {
  const { name, data, after, who } = asked;
  if (!isQuery(name)) throw new Refused("UnknownMethod", name);
  const input = queryInputs[name].safeParse(data);
  if (!input.success) throw new Refused("BadInput", describeIssues(input.error.issues));
  await sources.lanes.waitFor(after);
  const { answer, from } = await answers[name](input.data as never, who.user, sources);
  const okText = answer instanceof JsonText ? answer.text : JSON.stringify(answer);
  // It may have ended meanwhile, and this edge have said that it serves it no more.
  await assertSession(who, sources.lanes);
  return { okText, p: sources.lanes.position(from) };
}

/** An answer that is text already. */
class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Answerers = {
  readonly [K in QueryName]: (
    input: QueryInput<K>,
    user: string,
    sources: QuerySources,
  ) => Promise<{ readonly answer: QueryAnswers[K] | JsonText; readonly from: readonly LaneFollower[] }>;
};

const answers: Answerers = {
  async rooms(_, user, sources) {
    const { lanes } = sources;
    const version = await roomSetVersion(user, lanes);
    const { states, parked } = await statesIn(await candidateRooms(user, sources), user, lanes);
    return { answer: { rooms: states, version, ...(parked.length > 0 && { parked }) }, from: lanes.rooms };
  },

  async history({ room, before, after, limit = limits.historyPage }, user, { lanes, readRows }) {
    const follower = lanes.ofRoom(room);
    const { s, from, epoch } = await roomState(lanes, room, user);
    // What lies after `s` is later than the right to see it was checked.
    const bottom = after === undefined ? from : Math.max(from, after + 1);
    const top = Math.min(s, after === undefined ? (before ?? s + 1) - 1 : bottom + limit - 1);
    const fromS = after === undefined ? Math.max(bottom, top - limit + 1) : bottom;
    const events = await eventsBetween(follower, readRows, { room, fromS, toS: top });
    const more = after === undefined ? fromS > from && top >= from : top < s;
    const shown = events.map((event) => textSeenFrom(event, from).text);
    const rest: Omit<QueryAnswers["history"], "events"> = { more, epoch, head: s };
    // Events are most of all that is asked for: what Postgres has as JSON is not taken apart and put together again.
    const text = `{"events":[${shown.join(",")}],${JSON.stringify(rest).slice(1)}`;
    return { answer: new JsonText(text), from: [follower] };
  },

  asOf: (input, user, sources) => roomAsOf(input, user, sources),

  async members({ room, after, limit = limits.historyPage }, user, sources) {
    const { lanes, recent } = sources;
    const follower = lanes.ofRoom(room);
    await roomState(lanes, room, user);
    const entered = recent.usersOf(room);
    const rows = await sources.memberIdsOf(room, after, limit + 1);
    // Of those beyond the last row nobody knows yet whether others come before them.
    const last = rows.length > limit ? rows.at(-1) : undefined;
    const candidates = [...new Set([...rows, ...entered, ...recent.usersOf(room)])]
      .filter((id) => (after === undefined || id > after) && (last === undefined || id <= last))
      .sort();
    await knowFacts(
      follower,
      candidates.map((id) => factRef("memberships", room, id)),
    );
    const present = candidates.flatMap((id) => {
      const row = rowAt(follower.view, factRef("memberships", room, id));
      return row === null ? [] : [{ id, role: row.role as Role }];
    });
    const page = present.slice(0, limit);
    const names = new Map(
      (
        await peopleOf(
          page.map(({ id }) => id),
          lanes.accounts,
        )
      ).people.map(({ id, name }) => [id, name]),
    );
    const members = page.map(({ id, role }) => ({ id, role, name: names.get(id) ?? "" }));
    const more = present.length > limit || last !== undefined;
    return { answer: { members, more }, from: [follower, lanes.accounts] };
  },

  async people({ ids }, _, { lanes }) {
    const { people, parked } = await peopleOf(ids, lanes.accounts);
    return { answer: { people, ...(parked.length > 0 && { parked }) }, from: [lanes.accounts] };
  },

  async findPerson({ email }, _, { lanes, hashes }) {
    const { view } = lanes.accounts;
    const ref = factRef("emails", emailHashOf(hashes, email));
    await knowFacts(lanes.accounts, [ref]);
    const found = rowAt(view, ref);
    const [person] = found === null ? [] : (await peopleOf([String(found.user_id)], lanes.accounts)).people;
    if (person === undefined) throw new Refused("PersonNotFound");
    return { answer: person, from: [lanes.accounts] };
  },
};

/** The people with these ids, those that exist and have not been erased; `parked` are those of whom nothing can be read. */
async function peopleOf(ids: readonly string[], accounts: LaneFollower) {
  const refs = ids.map((id) => factRef("users", id));
  await knowFacts(accounts, refs);
  const people: Person[] = [];
  const parked: string[] = [];
  for (const id of ids) {
    if (accounts.view.isParked({ kind: "account", id })) {
      parked.push(id);
      continue;
    }
    const row = rowAt(accounts.view, factRef("users", id));
    if (row !== null && row.name !== null) people.push({ id: String(row.id), name: String(row.name) });
  }
  return { people, parked };
}
