import { readFileSync } from "node:fs";
import { goldenEvents } from "@connect-hub/domain/testing";
import type { Json, JsonObject } from "@connect-hub/domain/values";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { documents, wholeCatalog } from "./documents.ts";
import { lockOf, lockProblems, readLock } from "./lock.ts";

const catalog = wholeCatalog();
const samples = goldenEvents();

describe("the lock of events", () => {
  const edited = catalog.find(({ type }) => type === "MessageEdited.v2");
  if (edited === undefined) throw new Error("the newest version of an edit has another name");
  const others = catalog.filter(({ type }) => type !== edited.type);
  const lock = lockOf(catalog, samples);
  const properties = edited.data.properties as JsonObject;

  test("no version that a log may hold is another than it was", () => {
    expect(lockProblems(readLock(), lock)).toEqual([]);
  });

  test("a version more, and other words about one, are no change of any", () => {
    expect(lockProblems(lockOf(others, samples), lock)).toEqual([]);
    const described = { ...edited, about: "x", data: { ...edited.data, description: "x" } };
    expect(lockProblems(lock, lockOf([...others, described], samples))).toEqual([]);
  });

  test.each([
    ["data", { data: { ...edited.data, properties: { ...properties, more: { type: "string" } } } }],
    ["data", { data: { ...edited.data, required: ["message"] } }],
    ["sealed", { sealed: [] }],
    ["subject", { subject: "account" as const }],
    ["context", { context: "content" as const }],
  ])("another %s is refused, and it says what to do: %j", (what, change) => {
    const [problem, ...more] = lockProblems(lock, lockOf([...others, { ...edited, ...change }], samples));
    expect(more).toEqual([]);
    expect(problem).toContain(`MessageEdited.v2 has another ${what}`);
    expect(problem).toContain("make MessageEdited.v3 and an upcaster");
  });

  test("a version that is gone, and a sample with other bytes, are refused", () => {
    expect(lockProblems(lock, lockOf(others, samples))).toEqual([expect.stringContaining("keep it among oldEvents")]);
    const sample = samples.get(edited.type);
    if (sample === undefined) throw new Error("it has no sample");
    const other = new Map([...samples, [edited.type, { ...sample, stored: `${sample.stored} ` }]]);
    expect(lockProblems(lock, lockOf(catalog, other))).toEqual([expect.stringContaining("another sample")]);
  });
});

describe("what is made of the events' definitions", () => {
  test.each(documents().map(([file, text]) => [file.pathname.split("/").slice(-2).join("/"), file, text] as const))(
    "%s is what they say; else run: npm run docs",
    (_name, file, text) => {
      expect(readFileSync(file, "utf8")).toBe(text);
    },
  );
});

describe("the AsyncAPI document", () => {
  const api = JSON.parse(readFileSync(new URL("../../docs/asyncapi.json", import.meta.url), "utf8")) as JsonObject;

  /** What a reference leads to. */
  const found = (ref: string): Json | undefined =>
    ref
      .replace(/^#\//, "")
      .split("/")
      .reduce<Json | undefined>((at, name) => (at as JsonObject | undefined)?.[name], api);

  function references(value: Json): string[] {
    if (typeof value !== "object" || value === null) return [];
    if (Array.isArray(value)) return value.flatMap(references);
    const { $ref, ...rest } = value as JsonObject;
    return [...(typeof $ref === "string" ? [$ref] : []), ...Object.values(rest).flatMap(references)];
  }

  /** A schema with what it refers to in its place. */
  function whole(value: Json): Json {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(whole);
    const { $ref } = value as JsonObject;
    if (typeof $ref === "string") return whole(found($ref) ?? null);
    return Object.fromEntries(Object.entries(value as JsonObject).map(([name, member]) => [name, whole(member)]));
  }

  test("every reference leads somewhere, and every event is in a channel", () => {
    const refs = references(api);
    expect(refs.filter((ref) => found(ref) === undefined)).toEqual([]);
    const named = refs.map((ref) => ref.split("/").at(-1));
    expect(catalog.filter(({ type }) => !named.includes(type))).toEqual([]);
  });

  test.each(catalog)("$type: the stored sample is what the schema says, and nothing else is", ({ type, sealed }) => {
    const schema = z.fromJSONSchema(whole(found(`#/components/schemas/${type}`) ?? null) as never);
    const stored = JSON.parse(samples.get(type)?.stored ?? "null") as { data: JsonObject };
    expect(schema.safeParse(stored)).toMatchObject({ success: true });
    expect(schema.safeParse({ ...stored, type: "Other.v1" }).success).toBe(false);
    expect(schema.safeParse({ ...stored, data: { ...stored.data, other: 1 } }).success).toBe(false);
    for (const field of sealed) {
      expect(schema.safeParse({ ...stored, data: { ...stored.data, [field]: { text: "open" } } }).success).toBe(false);
    }
  });
});
