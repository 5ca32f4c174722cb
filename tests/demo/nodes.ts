import type { RunningSshd } from "@connect-hub/runtime";
import { type BoxNodes, startBoxNodes } from "../support/boxNodes.ts";
import type { Box } from "./box.ts";

/** What the box calls its nodes. */
export const nodeNames: readonly string[] = ["attic", "cellar"];

/** Starts two nodes beside the box and tells it of them as an operator would. */
export async function addNodes(box: Box): Promise<BoxNodes> {
  const nodes = await startBoxNodes(box.folder, `${box.folder}.nodes`, nodeNames);
  try {
    await Promise.all(nodes.all.map((node, index) => addNode(box, nodeNames[index] ?? "", node)));
    return nodes;
  } catch (error) {
    await nodes.close();
    throw error;
  }
}

/** `hub node add`. Throws with what it said. */
export async function addNode(box: Box, name: string, { port, user, folder, hostKey }: RunningSshd): Promise<void> {
  const where = [
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
    "--user",
    user,
    "--path",
    folder,
    "--host-key",
    hostKey,
  ];
  const added = await box.hub("node", "add", name, ...where);
  if (added.code !== 0) throw new Error(`hub node add ended with ${added.code}:\n${added.stdout}${added.stderr}`);
}
