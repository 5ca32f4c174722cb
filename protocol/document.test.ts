import { readFileSync } from "node:fs";
import { limits } from "@connect-hub/domain/values";
import { describe, expect, test } from "vitest";
import { isSocketCommand, readClientFrame } from "./clientFrames.ts";
import { errorEntry, errorNames } from "./errors.ts";
import { queryInputs } from "./queries.ts";
import { ServerFrame } from "./serverFrames.ts";

const page = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");

/** The cells of the rows below the table header that starts with `header`. */
function tableRows(header: string): string[][] {
  const lines = page.slice(page.indexOf(header)).split("\n").slice(2);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function examples(from: "client" | "server"): string[] {
  return [...page.matchAll(new RegExp(`\`\`\`json ${from} [a-z-]+\n(.*?)\n\`\`\``, "gs"))].map(
    (match) => match[1] ?? "",
  );
}

describe("docs/protocol.md", () => {
  test("has the error table of the code", () => {
    const inCode = errorNames.map((name) => {
      const entry = errorEntry(name);
      const cells = [entry.code, name, entry.http, entry.retry ? "yes" : "no", entry.afterMs ?? "", entry.close ?? ""];
      return [...cells.map(String), entry.meaning];
    });
    expect(tableRows("| code | name |")).toEqual(inCode);
  });

  test("has the limits of the code", () => {
    const inCode = Object.entries(limits).map(([name, value]) => [name, String(value)]);
    expect(tableRows("| name | value |").map((row) => row.slice(0, 2))).toEqual(inCode);
  });

  test("says of every code that a socket is closed with what a client does", () => {
    const rows = tableRows("| code | error |");
    const inCode = errorNames.map(errorEntry).flatMap(({ close }) => close ?? []);
    // The line broke, an error without a code of its own, a bug.
    const others = [1006, 1008, 1011];
    const codes = rows.map(([code = ""]) => Number(code.replace("none, ", "")));
    expect(codes).toEqual([...new Set([...inCode, ...others])].sort((one, other) => one - other));
    for (const name of errorNames) {
      const { close } = errorEntry(name);
      if (close !== undefined) expect(rows[codes.indexOf(close)]?.[1]).toContain(name);
    }
  });

  test("names every query, and every command that comes over a socket", () => {
    const named = tableRows("| command `m`").flatMap((row) => (row[0] ?? "").split(", "));
    expect(named.filter((name) => !isSocketCommand(name))).toEqual([]);
    expect(named.length).toBe(12);
    expect(tableRows("| query `q`").map((row) => row[0])).toEqual(Object.keys(queryInputs));
  });

  test("names every route, with ID, METHOD and NAME for what varies", () => {
    const api = JSON.parse(readFileSync(new URL("../docs/openapi.json", import.meta.url), "utf8"));
    const inApi = Object.entries<object>(api.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => {
        const varying = path.replace(/commands\/\w+/, "commands/METHOD").replace(/queries\/\w+/, "queries/NAME");
        return `${method.toUpperCase()} ${varying.replace("{id}", "ID")}`;
      }),
    );
    const named = tableRows("| route |").map(([route = ""]) => route.replace("GET, HEAD", "GET"));
    expect([...named].sort()).toEqual([...new Set(inApi)].sort());
  });

  test("shows only frames that the code takes", () => {
    expect(examples("client").length).toBeGreaterThan(4);
    for (const example of examples("client"))
      expect(readClientFrame(JSON.parse(example)).kind, example).not.toBe("bad");
  });

  test("shows only frames that the code describes", () => {
    expect(examples("server").length).toBeGreaterThan(9);
    for (const example of examples("server"))
      expect(ServerFrame.safeParse(JSON.parse(example)).success, example).toBe(true);
  });
});
