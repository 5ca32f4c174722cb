import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root, runIn } from "./root.ts";

let folder: string;

/** A small project with one app of two files, the second of which is imported when it is needed. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-build-"));
  for (const name of ["apps", "client", "domain", "infra", "projections", "protocol"])
    mkdirSync(join(folder, name, "one"), { recursive: true });
  cpSync(join(root, "scripts/build.mjs"), join(folder, "scripts/build.mjs"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  write("package.json", '{"type": "module"}');
  write("package-lock.json", "{}");
  write("apps/one/main.ts", 'const { said }: { said: string } = await import("./later.ts");\nconsole.log(said);');
  write("apps/one/later.ts", 'export const said = "first";');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  writeFileSync(join(folder, path), text);
}

const node = (...args: string[]) => runIn(folder, process.execPath, args);
const bundle = () => node("--input-type=module", "-e", 'await (await import("./scripts/build.mjs")).bundle();');
const folders = () => readdirSync(join(folder, "dist")).filter((name) => name !== "latest");

/** What the app says, after the bundle was made if need be. */
async function says(): Promise<string> {
  expect(await bundle()).toMatchObject({ code: 0 });
  return (await node("--enable-source-maps", "dist/latest/one.js")).output.trim();
}

test("each state of the sources has a bundle of its own, and the former ones stay as they are", async () => {
  expect(await says()).toBe("first");
  const former = folders();
  const file = join(folder, "dist", former[0] ?? "", "one.js");
  utimesSync(file, 1, 1);
  expect(await says()).toBe("first");
  expect(folders()).toEqual(former);
  write("apps/one/later.ts", 'export const said = "second";');
  expect(await says()).toBe("second");
  expect((await node(file)).output.trim()).toBe("first");
  write("apps/one/later.ts", 'export const said = "first";');
  write("apps/one/some.test.ts", "no part of it");
  expect(await says()).toBe("first");
  expect(folders()).toHaveLength(2);
}, 20_000);

test("one that nobody has used for a week goes when the next is made", async () => {
  await bundle();
  const [used = ""] = folders();
  mkdirSync(join(folder, "dist/unused"));
  const eightDaysAgo = new Date(Date.now() - 8 * 24 * 3_600_000);
  for (const name of [used, "unused"]) utimesSync(join(folder, "dist", name), eightDaysAgo, eightDaysAgo);
  await bundle();
  write("apps/one/later.ts", 'export const said = "second";');
  await bundle();
  expect(folders()).toContain(used);
  expect(folders()).not.toContain("unused");
}, 20_000);

test("processes that make it at the same time don't disturb one another", async () => {
  expect((await Promise.all([bundle(), bundle(), bundle()])).map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(folders()).toHaveLength(1);
  expect(await says()).toBe("first");
}, 20_000);

test("an error in a source is told by file and line, and leaves nothing that could run", async () => {
  write("apps/one/later.ts", "export const said = ;");
  const { code, output } = await bundle();
  expect([code, output]).toEqual([1, expect.stringContaining("apps/one/later.ts:1:20")]);
  expect(() => readFileSync(join(folder, "dist/latest/one.js"))).toThrow();
}, 20_000);

test("a stack trace names the source", async () => {
  write("apps/one/later.ts", 'export const said: string = "x";\n\nthrow new Error("broken on purpose");');
  await bundle();
  expect((await node("--enable-source-maps", "dist/latest/one.js")).output).toContain("apps/one/later.ts:3:7");
}, 20_000);
