import { subjects } from "@connect-hub/domain/kernel";
import { listLanes, serviceRegistry } from "@connect-hub/jetstream";
import { openDataFolder } from "@connect-hub/runtime";
import type { Command } from "commander";
import { type BoxState, isSupervised, readBoxState } from "../box/boxState.ts";
import { type Connections, readConnections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { connectAsOperator } from "../lanes.ts";
import { textTable } from "../table.ts";

/** One place where data lies. */
interface DataPlace {
  readonly what: string;
  /** A folder, a file, a stream or a schema. */
  readonly kind: "folder" | "file" | "stream" | "schema";
  readonly where: string;
}

/** `hub paths`: what a back-up must hold and an erasure must reach. */
export function registerPaths(program: Command, context: CommandContext): void {
  program
    .command("paths")
    .description("every place where this box keeps data")
    .option("--json", "for programs")
    .action(async ({ json }: { readonly json?: true }) => {
      const { dataDir } = context.config();
      const connections = readConnections(dataDir);
      const state = readBoxState(dataDir);
      const streams = state !== undefined && isSupervised(state) ? await streamPlaces(connections) : [];
      const places = [...folderPlaces(dataDir, connections, state), ...streams, ...schemaPlaces(connections)];
      console.log(json === true ? JSON.stringify(places, undefined, 2) : placesTable(places));
      if (json !== true && streams.length === 0) console.log("The box isn't running, so the streams are not listed.");
    });
}

function folderPlaces(dataDir: string, connections: Connections, state: BoxState | undefined): DataPlace[] {
  const { path, run, logs, secrets } = openDataFolder(dataDir);
  const servers = (state?.servers ?? []).flatMap(({ kind, dataFolder }): DataPlace[] =>
    dataFolder === null ? [] : [{ what: `the files of ${serverTitles[kind]}`, kind: "folder", where: dataFolder }],
  );
  return [
    { what: "the data folder, with all that follows unless it says otherwise", kind: "folder", where: path },
    { what: "process ids and connections, passwords included", kind: "folder", where: run },
    { what: "logs of servers and apps", kind: "folder", where: logs },
    { what: "generated passwords", kind: "folder", where: secrets },
    {
      what: "the root key of the vault: without it nothing sealed can be read",
      kind: "file",
      where: connections.vaultRoot,
    },
    { what: "the bytes of files that this server has", kind: "folder", where: connections.content.dir },
    { what: "commits of closed epochs of the log", kind: "folder", where: connections.archiveDir },
    { what: "the key that signs where the log is", kind: "file", where: connections.signingKey },
    { what: "the ssh key that nodes let in", kind: "file", where: connections.placement.key },
    ...servers,
  ];
}

const serverTitles: { readonly [kind in BoxState["servers"][number]["kind"]]: string } = {
  nats: "the log",
  postgres: "the databases",
  valkey: "the cache",
};

/** The lanes' streams as the registry names them. */
async function streamPlaces(connections: Connections): Promise<DataPlace[]> {
  const link = await connectAsOperator(connections);
  try {
    const lanes = await listLanes(link, connections.prefix);
    const { lanesBucket, headsStream, edgesStream, servicesBucket, serviceBucket } = subjects(connections.prefix);
    const services = await serviceRegistry(link, connections.prefix).names();
    return [
      ...lanes.flatMap(({ lane, stream, past = [] }): DataPlace[] => [
        { what: `lane ${lane} of the log`, kind: "stream", where: stream },
        // Those that are in files are in the archive's folder.
        ...past.flatMap((part): DataPlace[] =>
          "stream" in part ? [{ what: `a closed epoch of ${lane}`, kind: "stream", where: part.stream }] : [],
        ),
      ]),
      { what: "the signed heads of the lanes", kind: "stream", where: headsStream },
      { what: "which edges serve", kind: "stream", where: edgesStream },
      { what: "which stream each lane has", kind: "stream", where: `KV_${lanesBucket}` },
      ...(services.length === 0
        ? []
        : [{ what: "what each service may see", kind: "stream" as const, where: `KV_${servicesBucket}` }]),
      ...services.map((name): DataPlace => {
        return { what: `how far the service ${name} is`, kind: "stream", where: `KV_${serviceBucket(name)}` };
      }),
    ];
  } finally {
    await link.close();
  }
}

function schemaPlaces({ authUrl, chatUrl, contentUrl, vaultUrl }: Connections): DataPlace[] {
  return [
    { what: "accounts, settings, sessions", kind: "schema", where: `auth in ${withoutPassword(authUrl)}` },
    { what: "rooms, memberships, messages, history", kind: "schema", where: `chat in ${withoutPassword(chatUrl)}` },
    { what: "files, blobs, replicas, nodes", kind: "schema", where: `content in ${withoutPassword(contentUrl)}` },
    {
      what: "the keys of what is sealed, themselves sealed",
      kind: "schema",
      where: `vault in ${withoutPassword(vaultUrl)}`,
    },
  ];
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = "";
  return parsed.href;
}

function placesTable(places: readonly DataPlace[]): string {
  return textTable(
    ["what", "kind", "where"],
    places.map(({ what, kind, where }) => [what, kind, where]),
  );
}
