import type { Json, JsonObject } from "@connect-hub/domain/values";
import { expect, test } from "vitest";
import { routeNames, routeOf } from "./httpRoutes.ts";
import { openApi } from "./openApi.ts";

const document = openApi();
const paths = Object.entries(document.paths as { readonly [path: string]: JsonObject });
const operations = paths.flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    ...(operation as JsonObject),
  })),
);

test("every route is in the document, and all that is in it is answered by one", () => {
  const answering = operations.map(({ method, path }) => routeOf(method, path)?.route);
  expect([...new Set(answering)].sort()).toEqual([...routeNames].sort());
});

test("every reference leads somewhere, every operation has a name of its own and what is in its path", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
  expect(references.length).toBeGreaterThan(100);
  for (const reference of new Set(references)) {
    const found = reference
      .split("/")
      .reduce<Json | undefined>((at, name) => (at as JsonObject | undefined)?.[name], document);
    expect(found, reference).toBeDefined();
  }
  const ids = operations.map((operation) => (operation as { operationId?: string }).operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, ...operation } of operations) {
    const inPath = (((operation as JsonObject).parameters ?? []) as JsonObject[]).filter((one) => one.in === "path");
    expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
  }
});

test("a route takes no more than is in its path", () => {
  expect(routeOf("GET", "/v1/rooms/a/events")).toEqual({ route: "GET /v1/rooms/:id/events", param: "a" });
  expect(routeOf("HEAD", "/v1/rooms")).toEqual({ route: "GET /v1/rooms", param: "" });
  for (const path of ["/v1/rooms/", "/v1/rooms/a", "/v1/rooms/a/events/b", "/v1/commands", "/v1/commands/a/b", "//"])
    expect(routeOf("GET", path) ?? routeOf("POST", path)).toBeUndefined();
  for (const method of ["PUT", "DELETE", "PATCH", "TRACE"]) expect(routeOf(method, "/v1/rooms")).toBeUndefined();
});
