import { limits } from "@connect-hub/domain/values";
import { expect, test } from "vitest";
import { requestSlots, uploadSlots, uploadsOfOne } from "./transferSlots.ts";

const busy = expect.objectContaining({ wire: expect.objectContaining({ name: "Busy" }) });

test("one person has so many, and gets another one back for each that ends", () => {
  const slots = uploadSlots();
  const held = Array.from({ length: uploadsOfOne }, () => slots.take("ada"));
  expect(() => slots.take("ada")).toThrow(busy);
  const bobs = slots.take("bob");
  held[0]?.();
  held[0]?.();
  held[0] = slots.take("ada");
  expect(() => slots.take("ada")).toThrow(busy);
  for (const end of [...held, bobs]) end();
  for (let at = 0; at < uploadsOfOne; at++) slots.take("ada");
});

test("all together have a bound too", () => {
  const slots = uploadSlots();
  const held = Array.from({ length: 64 }, (_, at) => slots.take(`p${at}`));
  expect(() => slots.take("late")).toThrow(busy);
  held[3]?.();
  slots.take("late");
});

test("a session has as many requests under way as a socket", () => {
  const slots = requestSlots();
  const held = Array.from({ length: limits.inFlight }, () => slots.take("a session"));
  const tooMany = expect.objectContaining({ wire: expect.objectContaining({ name: "TooManyInFlight" }) });
  expect(() => slots.take("a session")).toThrow(tooMany);
  slots.take("another session");
  held[0]?.();
  slots.take("a session");
  expect(() => slots.take("a session")).toThrow(tooMany);
});
