import { type BlobPlaces, blobPlaces, contentNodes, type FileRecord, filesOf } from "@connect-hub/projections";
import type { Command } from "commander";
import { type Connections, connectionsOfRunning } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { storeOf } from "../contentStore.ts";
import { withContentTables } from "../contentTables.ts";
import { NotThere } from "../exitCodes.ts";
import { inBytes } from "../inBytes.ts";
import { textTable } from "../table.ts";

/** `hub files where`: from a file to its bytes, and where those lie. */
export function registerFiles(program: Command, context: CommandContext): void {
  const files = program.command("files").description("the bytes of files");
  files
    .command("where")
    .description("where the bytes of a file are: on this server, on which nodes")
    .argument("<file|hash>", "a file's id, or the SHA-256 of its bytes")
    .option("--json", "for programs")
    .action((wanted: string, { json }: { readonly json?: true }) => where(context, wanted, json === true));
}

/** Where bytes are. `here`: whether they are on this server's disk now; `promised`: whether the log says so. */
interface Whereabouts {
  readonly files: readonly FileRecord[];
  readonly blob: {
    readonly hash: string;
    readonly size: number;
    readonly here: boolean;
    readonly promised: boolean;
    readonly replicas: readonly { readonly node: string; readonly name: string; readonly verifiedAt: string }[];
  };
}

async function where(context: CommandContext, wanted: string, json: boolean): Promise<void> {
  const connections = connectionsOfRunning(context.config().dataDir);
  const found = await whereabouts(wanted, connections);
  if (found === undefined)
    throw new NotThere(`${wanted} is not in the log: no file has that id, and none ever had these bytes.`);
  console.log(json ? JSON.stringify(found, undefined, 2) : whereaboutsText(found));
}

async function whereabouts(wanted: string, connections: Connections): Promise<Whereabouts | undefined> {
  const read = await withContentTables(connections, async (db) => {
    const files = await filesOf(db, wanted);
    const [place] = await blobPlaces(db, [files[0]?.hash ?? wanted]);
    return { files, place, nodes: await contentNodes(db) };
  });
  const { files, place, nodes } = read;
  if (place === undefined) return undefined;
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  const { hash, size, local } = place;
  const replicas = place.replicas.map((replica) => ({ ...replica, node: names.get(replica.node) ?? replica.node }));
  return { files, blob: { hash, size, here: await isHere(place, connections), promised: local, replicas } };
}

async function isHere({ hash, size }: BlobPlaces, connections: Connections): Promise<boolean> {
  return (await (await storeOf(connections)).sizeOf(hash)) === size;
}

function whereaboutsText({ files, blob }: Whereabouts): string {
  const here = blob.here ? (blob.promised ? "yes" : "yes, as a cache") : blob.promised ? "NO, though promised" : "no";
  const rows = [
    ["this server", here, ""],
    ...blob.replicas.map(({ node, name, verifiedAt }) => [`node ${node}`, `blobs/${name}`, verifiedAt]),
  ];
  return [
    ...files.map((file) => `file ${file.id}: ${file.state}, of ${file.owner} in room ${file.room}, ${file.uploadedAt}`),
    `bytes ${blob.hash}, ${inBytes(blob.size)}`,
    textTable(["where", "there", "verified"], rows),
  ].join("\n");
}
