import { expect, test } from "vitest";
import { type AppProcess, parseProcesses, stopRank } from "./appProcess.ts";

test("commas part processes, plus signs put apps together", () => {
  expect(parseProcesses("commands + edge,projector")).toEqual([
    { name: "commands+edge", apps: ["commands", "edge"] },
    { name: "projector", apps: ["projector"] },
  ]);
});

test("who holds the door stops first", () => {
  const processes = parseProcesses("projector,commands,placement,edge") as readonly AppProcess[];
  const order = processes.toSorted((a, b) => stopRank(a) - stopRank(b)).map(({ name }) => name);
  expect(order).toEqual(["edge", "placement", "commands", "projector"]);
});
