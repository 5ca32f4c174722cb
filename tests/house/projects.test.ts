import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { root, runIn } from "./root.ts";

const notSource = new Set(["node_modules", ".git", ".hub", ".turbo", "coverage", "dist"]);

/** Everything that looks like a test, by whatever naming. */
function testFilesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return notSource.has(entry.name) ? [] : testFilesIn(path);
    return /[.]?(test|spec)[.]([cm]?[jt]sx?)$/.test(entry.name) ? [relative(root, path)] : [];
  });
}

/** The project that a test's name asks for. */
function expectedProject(path: string): string {
  if (/[.]e2e[.]test[.]ts$/.test(path)) return "e2e";
  return /[.]int[.]test[.]ts$/.test(path) ? "int" : "unit";
}

test("each test file is run by exactly one project, the one that its name asks for", async () => {
  const { code, output } = await runIn(root, "npx", ["vitest", "list", "--filesOnly", "--json"]);
  expect(code, output).toBe(0);
  const listed: { file: string; projectName: string }[] = JSON.parse(
    output.slice(output.indexOf("["), output.lastIndexOf("]") + 1),
  );
  const run = listed.map(({ file, projectName }) => `${projectName} ${relative(root, file)}`).sort();
  const expected = testFilesIn(root)
    .map((path) => `${expectedProject(path)} ${path}`)
    .sort();
  expect(run).toEqual(expected);
  expect(run.length).toBeGreaterThan(10);
}, 30_000);
