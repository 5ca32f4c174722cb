import { expect, test } from "vitest";
import { type AppProcess, parseProcesses, stopRank, withEdges } from "./appProcess.ts";

test("commas part processes, plus signs put apps together", () => {
  expect(parseProcesses("commands + edge,projector")).toEqual([
    { name: "commands+edge", apps: ["commands", "edge"] },
    { name: "projector", apps: ["projector"] },
  ]);
});

test("several edges are processes of their own, with a name each; one stays where it is", () => {
  const processes = parseProcesses("edge+commands,projector") as readonly AppProcess[];
  expect(withEdges(processes, 1)).toBe(processes);
  const env = (name: string) => ({ HUB_EDGE_NAME: name, HUB_EDGE_SHARES_PORT: "1" });
  expect(withEdges(processes, 2)).toEqual([
    { name: "edge-1", apps: ["edge"], env: env("edge-1") },
    { name: "edge-2", apps: ["edge"], env: env("edge-2") },
    { name: "commands", apps: ["commands"] },
    { name: "projector", apps: ["projector"] },
  ]);
});

test("who holds the door stops first", () => {
  const processes = parseProcesses("projector,commands,placement,edge") as readonly AppProcess[];
  const order = processes.toSorted((a, b) => stopRank(a) - stopRank(b)).map(({ name }) => name);
  expect(order).toEqual(["edge", "placement", "commands", "projector"]);
});
