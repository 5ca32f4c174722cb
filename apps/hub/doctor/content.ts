import { readFileSync } from "node:fs";
import { type ContentNode, contentNodes } from "@connect-hub/projections";
import { connectNode } from "@connect-hub/ssh";
import type { Connections } from "../box/connections.ts";
import { storeOf } from "../contentStore.ts";
import { withContentTables } from "../contentTables.ts";
import { inBytes } from "../inBytes.ts";
import { placementStatus } from "../placementStatus.ts";
import { bytesFindings } from "./bytes.ts";
import { examine, type Finding, fail, ok, warn } from "./finding.ts";

/** How full the disk for files is, what was left half done there, whether placement works, and whether each node can be used. */
export async function examineContent(connections: Connections): Promise<readonly Finding[]> {
  const looks = [
    examine("files", "See that the folder can be read and written by this user.", () => storeFindings(connections)),
    examine("bytes", "See: npm run hub -- projections list", () => bytesFindings(connections)),
    examine("placement", "See: npm run hub -- status", () => placementFinding(connections)),
    examine("nodes", "See: npm run hub -- projections list", () => nodeFindings(connections)),
  ];
  return (await Promise.all(looks)).flat();
}

async function storeFindings(connections: Connections): Promise<readonly Finding[]> {
  const { dir } = connections.content;
  const store = await storeOf(connections);
  const { used, budget: allowed, level } = await store.usage();
  const says = `${inBytes(used)} of ${inBytes(allowed)} in ${dir}, level ${level}`;
  const more = "Add a node, or room: npm run hub -- node add";
  const room = level === "full" ? fail("files", `${says}: no upload is taken`, more) : ok("files", says);
  const leftovers = await store.leftovers();
  if (leftovers === 0) return [level === "hold" ? warn("files", says, more) : room];
  const todo = "Placement removes them within a minute. Does it run? See: npm run hub -- status";
  return [room, warn("half files", `${leftovers} of processes that run no more`, todo)];
}

async function placementFinding(connections: Connections): Promise<Finding> {
  const status = await placementStatus(connections);
  const { url } = connections.placement;
  if (status !== undefined) return ok("placement", `answers at ${url}, ${status.moves.length} move(s) under way`);
  const todo = "Files on nodes can't be read until it runs. See: npm run hub -- status";
  return fail("placement", `it doesn't answer at ${url}`, todo);
}

async function nodeFindings(connections: Connections): Promise<readonly Finding[]> {
  const nodes = await withContentTables(connections, contentNodes);
  const privateKey = readFileSync(connections.placement.key, "utf8");
  const looks = nodes.map((node) =>
    examine(`node ${node.name}`, "See: npm run hub -- node list", () => nodeFinding(node, privateKey)),
  );
  return (await Promise.all(looks)).flat();
}

const connectTimeoutMs = 5_000;

async function nodeFinding(node: ContentNode, privateKey: string): Promise<Finding> {
  const { name, host, port, username: user, path, hostKey } = node;
  const link = await connectNode({ host, port, user, path, hostKey }, { privateKey, connectTimeoutMs });
  try {
    const free = await link.freeBytes();
    const says = `${user}@${host}:${port} lets us in with the pinned host key`;
    return ok(`node ${name}`, free === undefined ? says : `${says}, ${inBytes(free)} free`);
  } finally {
    await link.close();
  }
}
