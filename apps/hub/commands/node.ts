import { bytesOnNodes, contentNodes } from "@connect-hub/projections";
import { NodeError, type NodeTarget, probeHostKey } from "@connect-hub/ssh";
import { type Command, InvalidArgumentError } from "commander";
import { NodeNotAdded, recordNode, tryNode } from "../addNode.ts";
import { type Connections, connectionsOfRunning } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { withContentTables } from "../contentTables.ts";
import { exitCodes } from "../exitCodes.ts";
import { inBytes } from "../inBytes.ts";
import { placementStatus } from "../placementStatus.ts";
import { textTable } from "../table.ts";

interface AddOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly path: string;
  readonly hostKey?: string;
  readonly json?: true;
}

/** `hub node add|list`: the machines that keep the bytes of files when this one has no room. */
export function registerNode(program: Command, context: CommandContext): void {
  const node = program
    .command("node")
    .description("machines that keep files when this one has no room, reached by ssh");
  node
    .command("add")
    .description("try a node, then have files moved there when the disk fills up")
    .argument("<name>", "up to 40 of a-z, 0-9 and -")
    .requiredOption("--host <host>", "where its sshd is")
    .option("--port <port>", "and on which port", portOf, 22)
    .requiredOption("--user <user>", "the account there")
    .requiredOption("--path <folder>", "the folder for the files: absolute, or from where a login begins")
    .option(
      "--host-key <fingerprint>",
      "SHA256:…, as you got it from the node itself; without it you are shown what answers",
    )
    .option("--json", "for programs")
    .action((name: string, options: AddOptions) => add(context, name, options));
  node
    .command("list")
    .description("all nodes: state, what they have, what they have free, what went wrong last")
    .option("--json", "for programs")
    .action(({ json }: { readonly json?: true }) => list(context, json === true));
}

async function add(context: CommandContext, name: string, options: AddOptions): Promise<void> {
  const connections = connectionsOfRunning(context.config().dataDir);
  const { host, port, user, path, hostKey, json } = options;
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name))
    throw new NodeNotAdded("BadInput", `"${name}" is no name: up to 40 of a-z, 0-9 and -`);
  if (hostKey === undefined) return showHostKey(context, name, options, connections);
  const target: NodeTarget = { host, port, user, path, hostKey };
  const freeBytes = await tryNode(target, connections);
  const node = await recordNode(name, target, connections);
  const free = freeBytes === undefined ? "" : ` It has ${inBytes(freeBytes)} free.`;
  if (json === true) console.log(JSON.stringify({ node, name, freeBytes: freeBytes ?? null }, undefined, 2));
  else console.log(`${name} was added: files are moved there when the disk fills up.${free}`);
}

/** Nothing is trusted on first sight: the operator compares what answers with what the node has. */
async function showHostKey(
  context: CommandContext,
  name: string,
  { host, port, user, path, json }: AddOptions,
  { placement: { publicKey } }: Connections,
): Promise<void> {
  const hostKey = await probed(host, port);
  const words = ["npm run hub --", "node add", name, "--host", host, "--port", String(port), "--user", quoted(user)];
  const command = [...words, "--path", quoted(path), "--host-key", hostKey].join(" ");
  context.exitWith(exitCodes.failed);
  if (json === true) {
    console.log(JSON.stringify({ hostKey, publicKey, command }, undefined, 2));
    return;
  }
  console.log(`At ${host}:${port} answers a node with the host key

  ${hostKey}

Nothing was added yet. Compare it with what the node itself says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), let this
box's key in there, by a line in the authorized_keys of ${user}:

  ${publicKey}

and then run:

  ${command}
`);
}

async function probed(host: string, port: number): Promise<string> {
  try {
    return await probeHostKey({ host, port });
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    throw new NodeNotAdded(error.code, `${error.message} (${error.code})`, error);
  }
}

async function list(context: CommandContext, json: boolean): Promise<void> {
  const connections = connectionsOfRunning(context.config().dataDir);
  const [{ nodes, has }, status] = await Promise.all([
    withContentTables(connections, async (db) => ({ nodes: await contentNodes(db), has: await bytesOnNodes(db) })),
    placementStatus(connections),
  ]);
  const listed = nodes.map((node) => {
    const seen = status?.nodes.find(({ id }) => id === node.id);
    const { blobs, bytes } = has.get(node.id) ?? { blobs: 0, bytes: 0 };
    const { upBytesPerSecond = null, downBytesPerSecond = null, freeBytes = null, lastError = null } = seen ?? {};
    return {
      ...node,
      state: seen?.state ?? (status === undefined ? "unknown" : "untried"),
      blobs,
      bytes,
      freeBytes,
      upBytesPerSecond,
      downBytesPerSecond,
      lastError,
    };
  });
  if (json) {
    console.log(JSON.stringify(listed, undefined, 2));
    return;
  }
  const rows = listed.map(({ name, host, port, username, path, state, blobs, bytes, freeBytes, lastError }) => [
    name,
    `${username}@${host}:${port} ${path}`,
    state,
    `${blobs} (${inBytes(bytes)})`,
    freeBytes === null ? "" : inBytes(freeBytes),
    lastError === null ? "" : `${lastError.at} ${lastError.code}: ${lastError.text}`,
  ]);
  console.log(rows.length === 0 ? "There are no nodes. Add one by: npm run hub -- node add" : nodesTable(rows));
  if (status === undefined && rows.length > 0)
    console.log("Placement doesn't answer, so the state of nodes isn't known. See: npm run hub -- status");
}

function nodesTable(rows: readonly (readonly string[])[]): string {
  return textTable(["node", "where", "state", "has", "free", "last error"], rows);
}

function portOf(value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError("A port is 1 to 65535.");
  return port;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
