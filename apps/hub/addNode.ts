import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RefusalCode } from "@connect-hub/domain/values";
import { openLane, serviceCommands } from "@connect-hub/jetstream";
import { connectNode, NodeError, type NodeLink, type NodeTarget } from "@connect-hub/ssh";
import { uuidv7 } from "uuidv7";
import type { Connections } from "./box/connections.ts";
import { connectAsOperator } from "./lanes.ts";

/** A node can't be added; the message says what to do. */
export class NodeNotAdded extends Error {
  override readonly name = "NodeNotAdded";
  /** Of `@connect-hub/ssh`, or why the log refused it. */
  readonly code: NodeError["code"] | RefusalCode;

  constructor(code: NodeError["code"] | RefusalCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Logs in at a node as placement will, writes a file there, reads it back and removes it. Returns the bytes that are free there;
 * undefined when it doesn't tell. Throws `NodeNotAdded`.
 */
export async function tryNode(target: NodeTarget, connections: Connections): Promise<number | undefined> {
  try {
    const link = await connectNode(target, { privateKey: readFileSync(connections.placement.key, "utf8") });
    try {
      // Placement, where it knows the node already, clears that folder when it connects: then the second time it is not.
      await tryFile(link).catch((error: unknown) => {
        if (error instanceof NodeError && error.code === "WrongPath") return tryFile(link);
        throw error;
      });
      return await link.freeBytes();
    } finally {
      await link.close();
    }
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    throw new NodeNotAdded(
      error.code,
      `${error.message} (${error.code})${adviceFor(error, target, connections)}`,
      error,
    );
  }
}

/** Writes a file, reads it back and removes it. Throws `NodeError`. */
async function tryFile(link: NodeLink): Promise<void> {
  const name = `.tmp/try-${randomBytes(6).toString("hex")}`;
  const bytes = randomBytes(64 * 1024);
  try {
    await link.put(name, oneOf(bytes), bytes.byteLength);
    await link.fsync(name);
    const read = await link.hash(name);
    if (read.size !== bytes.byteLength) throw new NodeError("WrongBytes", "The node gave back other bytes.");
  } finally {
    await link.remove(name).catch(() => undefined);
  }
}

function adviceFor({ code }: NodeError, { user, host }: NodeTarget, { placement }: Connections): string {
  switch (code) {
    case "LoginRefused":
      return `\nLet this key in for ${user} on ${host}, by a line in its authorized_keys:\n\n${placement.publicKey}\n`;
    case "HostKeyMismatch":
      return "\nEither --host-key is wrong, or something else answers there. Without --host-key you are shown what it has.";
    case "WrongPath":
      return "\nMake the folder there, and give it to that user; --path is absolute or from where a login begins.";
    default:
      return "";
  }
}

/** Adds a node by the lane of content; its id. Throws `NodeNotAdded` and `LogUnavailable`. */
export async function recordNode(name: string, target: NodeTarget, connections: Connections): Promise<string> {
  const link = await connectAsOperator(connections);
  try {
    const { prefix } = connections;
    const lane = await openLane(link, { prefix, id: "content.0" });
    const commands = serviceCommands(link, { prefix, lane, actor: "operator" });
    const node = uuidv7();
    const data = { name, ...target };
    const command = { id: uuidv7(), kind: "addNode", subject: node, data } as const;
    const reply = await commands.send(command, AbortSignal.timeout(recordTimeoutMs));
    commands.close();
    if (reply === undefined) throw new NodeNotAdded("Unavailable", "Nobody writes the lane of content. Is the box up?");
    if (!("refused" in reply)) return node;
    const { code, detail } = reply.refused;
    if (code === "NodeExists")
      throw new NodeNotAdded(code, `There is a node "${name}" already. See: npm run hub -- node list`);
    throw new NodeNotAdded(
      code,
      `The node was refused: ${code}${detail === undefined ? "" : ` ${JSON.stringify(detail)}`}`,
    );
  } finally {
    await link.close();
  }
}

const recordTimeoutMs = 15_000;

async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
