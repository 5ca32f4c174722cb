import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RootKeyUnusable } from "./errors.ts";
import { makeRootKey, readRootKey } from "./rootKey.ts";
import { unwrap, wrap } from "./wrapping.ts";

let folder: string;
const path = () => join(folder, "root.key");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vault-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("no file is no key; one that was made is read again, and only its owner may", () => {
  expect(readRootKey(path())).toBeUndefined();
  const made = makeRootKey(path());
  expect(made.bytes).toHaveLength(32);
  expect(made.id).toMatch(/^[0-9a-f]{16}$/);
  expect(readRootKey(path())).toEqual(made);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["root.key"]);
});

test("a second making gives the key that is there", () => {
  const first = makeRootKey(path());
  expect(makeRootKey(path())).toEqual(first);
});

test.each([0o640, 0o604, 0o660])("a file that others may use (mode %o) is refused", (mode) => {
  makeRootKey(path());
  chmodSync(path(), mode);
  expect(() => readRootKey(path())).toThrow(RootKeyUnusable);
  expect(() => readRootKey(path())).toThrow("chmod 600");
});

test("a file that holds no key, a folder and a link are refused", () => {
  writeFileSync(path(), "00\n", { mode: 0o600 });
  expect(() => readRootKey(path())).toThrow("does not hold a root key");
  expect(() => readRootKey(folder)).toThrow("no regular file");
  symlinkSync(path(), join(folder, "link"));
  expect(() => readRootKey(join(folder, "link"))).toThrow("no regular file");
});

test("a wrapped key opens with its root key and its id alone", () => {
  const root = makeRootKey(path());
  const key = Buffer.alloc(32, 7);
  const wrapped = wrap(key, "id", root);
  expect(wrapped).toHaveLength(60);
  expect(Buffer.from(unwrap(wrapped, "id", root))).toEqual(key);
  expect(() => unwrap(wrapped, "other", root)).toThrow(RootKeyUnusable);
  expect(() => unwrap(wrapped, "id", { ...root, bytes: Buffer.alloc(32) })).toThrow(RootKeyUnusable);
});
