import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Outcome, root, runIn } from "./root.ts";

const notCopied = new Set(["node_modules", ".git", ".hub", ".turbo", "coverage", "dist"]);
const copies: string[] = [];

afterEach(() => {
  for (const copy of copies.splice(0)) rmSync(copy, { recursive: true, force: true });
});

/** A copy of the working tree whose packages are those of the original, but whose workspaces are its own. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), "connect-hub-check-"));
  copies.push(copy);
  cpSync(root, copy, { recursive: true, filter: (source) => !notCopied.has(basename(source)) });
  const [from, to] = [join(root, "node_modules"), join(copy, "node_modules")];
  const ours = "@connect-hub";
  mkdirSync(join(to, ours), { recursive: true });
  for (const name of readdirSync(from)) if (name !== ours) symlinkSync(join(from, name), join(to, name));
  for (const name of readdirSync(join(from, ours)))
    symlinkSync(readlinkSync(join(from, ours, name)), join(to, ours, name));
  return copy;
}

/** A copy with `faults` in it: text to put at the end of a file, which may be new. */
function copyWith(faults: Readonly<Record<string, string>>): string {
  const copy = copyTree();
  for (const [path, text] of Object.entries(faults)) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), text, { flag: "a" });
  }
  return copy;
}

const run = (copy: string, script: string): Promise<Outcome> => runIn(copy, "npm", ["run", script]);

describe("npm run check", () => {
  test("is red by a format error, a lint error, a type error, a wrong import and a dead export, and names each", async () => {
    const copy = copyWith({
      "infra/uws/errors.ts": "\n\n\nexport const  deadInside = 1;\n",
      "infra/passwords/boundedQueue.ts": "\nexport const loose: any = 1;\n",
      "infra/jetstream/errors.ts": '\nexport const wrong: number = "text";\n',
      "infra/valkey/budget.ts": '\nexport * from "@connect-hub/passwords";\n',
    });
    const { code, output } = await run(copy, "check");
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/Failed: +\/\/#check:arrows, \/\/#check:dead, \/\/#check:format, \/\/#check:types/);
    for (const found of [
      /infra\/uws\/errors.ts format/,
      /infra\/passwords\/boundedQueue.ts:\d+:\d+ lint\/suspicious\/noExplicitAny/,
      /infra\/jetstream\/errors.ts\(\d+,\d+\): error TS2322/,
      /infra-adapters-are-apart: infra\/valkey\/budget.ts/,
      /deadInside +infra\/uws\/errors.ts/,
    ]) {
      expect(output).toMatch(found);
    }
  });
});

describe("the arrows", () => {
  const wrong = [
    ["domain/values/planted.ts", "@connect-hub/domain/kernel", "values-import-zod-only"],
    ["domain/values/plantedToo.ts", "node:crypto", "values-import-zod-only"],
    ["domain/kernel/planted.ts", "node:fs", "kernel-is-pure"],
    ["domain/kernel/plantedToo.ts", "@connect-hub/domain/room", "kernel-is-pure"],
    ["domain/room/planted.ts", "node:crypto", "domain-is-pure"],
    ["domain/account/planted.ts", "@connect-hub/domain/room", "contexts-are-apart"],
    ["protocol/planted.ts", "@connect-hub/domain/kernel", "protocol-imports-values"],
    ["client/sdk/planted.ts", "@connect-hub/domain/kernel", "sdk-imports-protocol"],
    ["client/events/planted.ts", "@connect-hub/postgres", "events-import-jetstream"],
    ["apps/edge/plantedFour.ts", "../../client/events/index.ts", "only-services-import-events"],
    ["projections/planted.ts", "pg", "projections-import-domain"],
    ["projections/plantedToo.ts", "pg", "only-postgres"],
    ["infra/jetstream/planted.ts", "@connect-hub/postgres", "infra-adapters-are-apart"],
    ["infra/jetstream/plantedToo.ts", "@connect-hub/protocol", "infra-imports-inwards"],
    ["infra/jetstream/plantedThree.ts", "../../apps/commands/index.ts", "nothing-imports-apps"],
    ["infra/uws/planted.ts", "uWebSockets.js", "only-uws-ts"],
    ["infra/ssh/planted.ts", "ssh2", "only-ssh2-ts"],
    ["infra/passwords/planted.ts", "argon2", "only-passwords-ts"],
    ["apps/edge/planted.ts", "../commands/index.ts", "apps-are-apart"],
    ["apps/edge/plantedToo.ts", "@nats-io/jetstream", "only-jetstream"],
    ["apps/edge/plantedThree.ts", "../../tests/setup/rawWebSocket.ts", "no-tests-in-products"],
    ["apps/commands/planted.ts", "kysely", "declared"],
    ["apps/commands/plantedToo.ts", "./nowhere.ts", "not-resolvable"],
  ] as const;

  test("each wrong import is named, by its rule", async () => {
    const { code, output } = await run(
      copyWith(Object.fromEntries(wrong.map(([path, imported]) => [path, `import "${imported}";\n`]))),
      "check:arrows",
    );
    expect(code, output).not.toBe(0);
    for (const [path, , rule] of wrong) expect(output).toContain(`error ${rule}: ${path} → `);
  });

  test("a workspace whose modules are not read, or not all that it exports, is an error", async () => {
    const copy = copyTree();
    for (const name of readdirSync(join(copy, "infra/uws")))
      if (name.endsWith(".ts")) rmSync(join(copy, "infra/uws", name));
    rmSync(join(copy, "protocol/index.ts"));
    const { code, output } = await run(copy, "check:arrows");
    expect(code).not.toBe(0);
    expect(output).toContain("not read: infra/uws/ (no module at all)");
    expect(output).toContain("not read: protocol/index.ts");
  });

  test("no module at all is an error, not a success", async () => {
    const copy = copyTree();
    const packageJson = join(copy, "package.json");
    const described = JSON.parse(readFileSync(packageJson, "utf8"));
    mkdirSync(join(copy, "empty"));
    writeFileSync(join(copy, "empty/package.json"), "{}");
    writeFileSync(packageJson, JSON.stringify({ ...described, workspaces: ["empty"] }));
    const { code, output } = await run(copy, "check:arrows");
    expect(code, output).not.toBe(0);
  });
});

test("dead code is found in inner files, in the faces of packages, as files and as dependencies", async () => {
  const copy = copyWith({
    "infra/uws/errors.ts": "\nexport const deadInside = 1;\n",
    "infra/uws/index.ts": "\nexport const deadOnTheFace = 1;\n",
    "infra/uws/planted.ts": "export const nobodyImportsThisFile = 1;\n",
  });
  const manifest = join(copy, "infra/uws/package.json");
  const described = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, JSON.stringify({ ...described, dependencies: { ...described.dependencies, zod: "4.6.7" } }));
  const { code, output } = await run(copy, "check:dead");
  expect(code, output).not.toBe(0);
  for (const found of ["deadInside", "deadOnTheFace", "infra/uws/planted.ts", "zod"]) expect(output).toContain(found);
});
