import { expect, expectTypeOf, test } from "vitest";
import { pathParams } from "./pathParams.ts";

test.each([
  ["/v1/rooms/7", { id: "7" }],
  ["/v1/rooms/a%20b", { id: "a b" }],
  ["/v1/rooms/a%2Fb", { id: "a/b" }],
  ["/v1/rooms/", undefined],
  ["/v1/rooms", undefined],
  ["/v1/rooms/7/events", undefined],
  ["/v1/people/7", undefined],
  ["/v1/rooms/%zz", undefined],
])("of %s by /v1/rooms/:id", (path, expected) => {
  expect(pathParams("/v1/rooms/:id", path)).toEqual(expected);
});

test("the names of a pattern are in its type", () => {
  const params = pathParams("/v1/rooms/:room/events/:s", "/v1/rooms/a/events/3");
  expectTypeOf(params).toEqualTypeOf<{ readonly room: string; readonly s: string } | undefined>();
  expect(params).toEqual({ room: "a", s: "3" });
});
