import type { RunningSshd } from "@connect-hub/runtime";
import { type BoxNodes, startBoxNodes } from "../support/boxNodes.ts";
import type { Box } from "./box.ts";

const names = ["attic", "cellar"] as const;

/** Starts two nodes beside the box and tells it of them as an operator would. */
export async function addNodes(box: Box): Promise<BoxNodes> {
  const nodes = await startBoxNodes(box.folder, `${box.folder}.nodes`, names);
  try {
    for (const [index, node] of nodes.all.entries()) await addNode(box, names[index] ?? "", node);
    return nodes;
  } catch (error) {
    await nodes.close();
    throw error;
  }
}

/** `hub node add`. Throws with what it said. */
export async function addNode(box: Box, name: string, { port, user, folder, hostKey }: RunningSshd): Promise<void> {
  const added = await box.hub("node", "add", name, `${user}@127.0.0.1:${port}${folder}`, "--host-key", hostKey);
  if (added.code !== 0) throw new Error(`hub node add ended with ${added.code}:\n${added.stdout}${added.stderr}`);
}
