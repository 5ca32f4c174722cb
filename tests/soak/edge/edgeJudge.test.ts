import { expect, test } from "vitest";
import type { Logged, LoggedEvent } from "./boxLog.ts";
import type { Line } from "./clientJournal.ts";
import { EdgeJudge } from "./edgeJudge.ts";

const users = new Map([
  ["ada", "user-a"],
  ["ben", "user-b"],
]);
const event = (s: number, kind: string, by: string, more: Partial<LoggedEvent> = {}): LoggedEvent => ({
  room: "r",
  s,
  kind,
  by,
  came: [],
  went: [],
  ...more,
});
const logged = (key: string, one: LoggedEvent): Logged => ({
  actor: one.by,
  key,
  result: { room: "r", s: one.s },
  events: [one],
});
const base = [logged("made", event(1, "roomCreated", "user-a", { came: ["user-a", "user-b"] }))];
const posted = (s: number, by = "user-a") => logged(`k${s}`, event(s, "messagePosted", by));
const sent = (key: string, who = "ada"): Line => ({ t: "sent", who, key, method: "postMessage", data: { room: "r" } });
const done = (key: string, s: number, who = "ada"): Line => ({ t: "done", who, key, room: "r", s });
const told = (s: number, who: string, more: Partial<Extract<Line, { t: "event" }>> = {}): Line => ({
  t: "event",
  who,
  room: "r",
  epoch: "e",
  s,
  kind: s === 1 ? "roomCreated" : "messagePosted",
  by: "user-a",
  ...(s > 1 && { key: `k${s}` }),
  ...more,
});

/** Two posts of Ada's, of which both were told everything; `lines` and `log` come after that. */
function verdict(lines: readonly Line[], log: readonly Logged[] = []) {
  const judge = new EdgeJudge(users, base);
  for (const one of [posted(2), posted(3), ...log]) judge.log(one);
  const usual = [sent("k2"), done("k2", 2), sent("k3"), done("k3", 3)];
  const both = [1, 2, 3].flatMap((s) => [told(s, "ada"), told(s, "ben")]);
  for (const line of [...usual, ...both, ...lines]) judge.told(line);
  return judge.verdict();
}
const nothing = { lost: [], doubled: [], misordered: [], refused: [] };

test("journals that say what the log says have nothing wrong with them", () => {
  expect(verdict([])).toEqual(nothing);
  expect(verdict([{ t: "reset", who: "ben", room: "r" }, told(2, "ben"), told(3, "ben")])).toEqual(nothing);
  expect(verdict([sent("k2"), done("k2", 2), sent("open")])).toEqual(nothing);
  expect(verdict([sent("no"), { t: "refused", who: "ada", key: "no", name: "RoomNotFound" }])).toEqual(nothing);
});

test("what was acknowledged and is not on the log is lost, as is what a member was not told", () => {
  expect(verdict([sent("k4"), done("k4", 4)]).lost).toEqual(["ada's k4 in r was answered 4, and is not on the log"]);
  expect(verdict([sent("k4"), done("k4", 4), told(4, "ada")], [posted(4)]).lost).toEqual([
    "ben has r up to 3, and it ends at 4",
  ]);
  expect(verdict([{ t: "reset", who: "ben", room: "r" }]).lost).toEqual(["ben has r up to nothing, and it ends at 3"]);
});

test("what is on the log twice, delivered twice, answered otherwise, or sent by nobody is doubled", () => {
  const both = (s: number) => [told(s, "ada"), told(s, "ben")];
  const twice = logged("k3", event(4, "messagePosted", "user-a"));
  expect(verdict([told(4, "ada", { key: "k3" }), told(4, "ben", { key: "k3" })], [twice]).doubled).toEqual([
    "command k3 is on the log twice",
  ]);
  expect(verdict([told(3, "ben")]).doubled).toEqual(["r 3 to ben comes again, after 3"]);
  expect(verdict([sent("k2"), done("k2", 3)]).doubled).toEqual([
    "ada's k2 in r was answered 2, and 3 when it was sent again",
  ]);
  expect(verdict(both(4), [posted(4)]).doubled).toEqual(["user-a k4 is on the log, and nobody sent it"]);
  expect(verdict([told(4, "ben")]).doubled).toEqual(["r 4 to ben: nobody sent it"]);
  const refused: Line = { t: "refused", who: "ada", key: "k4", name: "RoomNotFound" };
  expect(verdict([sent("k4"), refused, ...both(4)], [posted(4)]).doubled).toEqual([
    "ada's k4 was refused (RoomNotFound), and is on the log",
  ]);
});

test("a hole without a reset, another event than that on the log, and an author's later message in an earlier place are misordered", () => {
  const more = [posted(4), posted(5)];
  const all = [sent("k4"), done("k4", 4), sent("k5"), done("k5", 5), told(4, "ada"), told(5, "ada")];
  expect(verdict([...all, told(5, "ben")], more).misordered).toEqual(["r 5 to ben comes after 3, without a word"]);
  expect(verdict([...all, told(4, "ben", { key: "k5" }), told(5, "ben")], more).misordered).toEqual([
    "r 4 to ben is messagePosted k5, on the log it is messagePosted k4",
  ]);
  const late = [sent("k5"), done("k5", 5), sent("k4"), done("k4", 4), ...all.slice(4), told(4, "ben"), told(5, "ben")];
  expect(verdict(late, more).misordered).toEqual([
    "ada's k4 in r was answered 4, and its author had been told 5 before",
  ]);
});

test("who was put out is told of it, and nothing after it", () => {
  const put = [logged("k4", event(4, "memberRemoved", "user-a", { went: ["user-b"] })), posted(5)];
  const ada = [
    sent("k4"),
    done("k4", 4),
    sent("k5"),
    done("k5", 5),
    told(4, "ada", { kind: "memberRemoved" }),
    told(5, "ada"),
  ];
  const out = told(4, "ben", { kind: "memberRemoved" });
  const left: Line = { t: "left", who: "ben", room: "r" };
  expect(verdict([...ada, out, left], put)).toEqual(nothing);
  expect(verdict([...ada, out], put).lost).toEqual(["ben was not told to be out of r"]);
  expect(verdict([...ada, out, told(5, "ben"), left], put).doubled).toEqual([
    "r 5 to ben comes to somebody who was not in the room then",
  ]);
});

test("a refusal without a reason is told", () => {
  const refused: Line = { t: "refused", who: "ada", key: "no", name: "Internal" };
  expect(verdict([sent("no"), refused]).refused).toEqual(["ada's no was refused: Internal"]);
});
