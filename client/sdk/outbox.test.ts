import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubError } from "./hubError.ts";
import { outbox } from "./outbox.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function boxOnline(limit = 64) {
  const sent: string[] = [];
  const line = { up: true };
  const box = outbox(
    (text) => line.up && sent.push(text) > 0,
    () => 0,
  );
  box.online(limit);
  return { box, sent, line };
}

const busy = { err: { code: 501, name: "Busy", retry: true, afterMs: 250 } } as const;

describe("an outbox", () => {
  test("resolves with the answer to its number", async () => {
    const { box, sent } = boxOnline();
    const answers = Promise.all([box.add({ m: "a" }), box.add({ m: "b" })]);
    expect(sent).toEqual(['{"i":1,"m":"a"}', '{"i":2,"m":"b"}']);
    box.answer(2, { ok: "second", p: "p2" });
    box.answer(1, { ok: "first", p: "p1" });
    expect(await answers).toEqual([
      { ok: "first", position: "p1" },
      { ok: "second", position: "p2" },
    ]);
  });

  test("rejects with a refusal that no retry can change", async () => {
    const { box } = boxOnline();
    const asked = box.add({ m: "a" });
    box.answer(1, { err: { code: 401, name: "RoomNotFound", retry: false } });
    await expect(asked).rejects.toMatchObject({ name: "RoomNotFound", code: 401, retry: false });
  });

  test("sends the same text again, in order, on a new line", async () => {
    const { box, sent } = boxOnline();
    const asked = [box.add({ m: "a" }), box.add({ m: "b" })];
    box.offline();
    asked.push(box.add({ m: "c" }));
    expect(sent.length).toBe(2);
    box.online(64);
    expect(sent.slice(2)).toEqual(['{"i":1,"m":"a"}', '{"i":2,"m":"b"}', '{"i":3,"m":"c"}']);
    for (const i of [1, 2, 3]) box.answer(i, { ok: i, p: "p" });
    expect((await Promise.all(asked)).map(({ ok }) => ok)).toEqual([1, 2, 3]);
  });

  test("takes no answer for what it has not sent on this line", () => {
    const { box, sent } = boxOnline();
    void box.add({ m: "a" });
    box.offline();
    box.answer(1, { ok: "from before", p: "p" });
    box.online(64);
    expect(sent.length).toBe(2);
  });

  test("tries again after the time that the server named", async () => {
    const { box, sent } = boxOnline();
    const asked = box.add({ m: "a" });
    box.answer(1, busy);
    vi.advanceTimersByTime(249);
    expect(sent.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual(['{"i":1,"m":"a"}', '{"i":1,"m":"a"}']);
    box.answer(1, { ok: 1, p: "p" });
    expect((await asked).ok).toBe(1);
  });

  test("has no more on the way than the server takes", () => {
    const { box, sent } = boxOnline(2);
    for (const m of ["a", "b", "c", "d"]) void box.add({ m });
    expect(sent.length).toBe(2);
    box.answer(1, { ok: 1, p: "p" });
    expect(sent.length).toBe(3);
    box.answer(2, busy);
    expect(sent.length).toBe(4);
  });

  test("rejects everything when it is closed, and what comes later", async () => {
    const { box } = boxOnline();
    const waiting = box.add({ m: "a" });
    box.close(new HubError("SessionEnded"));
    await expect(waiting).rejects.toMatchObject({ name: "SessionEnded" });
    await expect(box.add({ m: "b" })).rejects.toMatchObject({ name: "SessionEnded" });
  });
});

describe("an outbox with a position", () => {
  function boxAt(first: string | undefined) {
    const sent: string[] = [];
    const held = { at: first, forgotten: [] as string[] };
    const box = outbox(
      (text) => sent.push(text) > 0,
      () => 0,
      {
        get: () => held.at,
        forget(refused) {
          held.forgotten.push(refused);
          held.at = undefined;
        },
      },
    );
    box.online(64);
    return { box, sent, held };
  }
  const badPosition = { err: { code: 205, name: "BadPosition", retry: false } } as const;

  test("sends each request after the newest position, also again", () => {
    const { box, sent, held } = boxAt("p1");
    void box.add({ m: "a" });
    box.offline();
    held.at = "p2";
    box.online(64);
    expect(sent).toEqual(['{"i":1,"m":"a","a":"p1"}', '{"i":1,"m":"a","a":"p2"}']);
  });

  test("forgets a position that the server does not know, and asks again without anybody noticing", async () => {
    const { box, sent, held } = boxAt("old");
    const asked = box.add({ q: "rooms" });
    box.answer(1, badPosition);
    expect(held.forgotten).toEqual(["old"]);
    expect(sent).toEqual(['{"i":1,"q":"rooms","a":"old"}', '{"i":1,"q":"rooms"}']);
    box.answer(1, { ok: "there", p: "new" });
    expect(await asked).toEqual({ ok: "there", position: "new" });
  });

  test("passes it on when there was no position to forget", async () => {
    const { box } = boxAt(undefined);
    const asked = box.add({ q: "rooms" });
    box.answer(1, badPosition);
    await expect(asked).rejects.toMatchObject({ name: "BadPosition" });
  });
});
