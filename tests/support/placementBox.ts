import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BlobStore, openBlobStore } from "@connect-hub/blobs";
import { readCommandsConfig, startCommands } from "@connect-hub/commands";
import { derivedId, subjects } from "@connect-hub/domain/kernel";
import { uuidV7Time } from "@connect-hub/domain/values";
import { commandSender, openLane, serviceCommands } from "@connect-hub/jetstream";
import { type RunningPlacement, readPlacementConfig, type Step, startPlacement } from "@connect-hub/placement";
import { kyselyOver, openPool } from "@connect-hub/postgres";
import { type BlobPlaces, blobPlaces, type ContentTables } from "@connect-hub/projections";
import { readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { identifyProcess, processNames, type SshKey } from "@connect-hub/runtime";
import { writeBoxState } from "../../apps/hub/box/boxState.ts";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { type FreshBox, freshBox } from "./freshBox.ts";

/** A system with content, without an edge: bytes come in as the edge would bring them. */
export interface PlacementBox {
  readonly store: BlobStore;
  /** Where the bytes of files lie. */
  readonly contentDir: string;
  /** The environment of `apps/placement`. */
  readonly env: { readonly [name: string]: string };
  /** What it stands on. */
  readonly box: FreshBox;
  /** Takes bytes in and claims a file with them; their hash. */
  upload(bytes: Uint8Array): Promise<string>;
  /** Adds a node; its id. */
  addNode(name: string, target: NodeTarget): Promise<string>;
  /** By the tables. */
  placesOf(hash: string): Promise<BlobPlaces | undefined>;
  /** Ends the projectors: from then on the tables stay as they are. */
  stopProjectors(): Promise<void>;
  startProjectors(): Promise<void>;
  /** Starts placement in this process; it is closed with the box, if not before. */
  startPlacement(env?: { readonly [name: string]: string }, step?: Step): Promise<TestPlacement>;
  /** A data folder on which `hub` finds this box, with this placement; removed with the box. */
  dataDir(placement: { readonly port: number }): string;
  close(): Promise<void>;
}

/** As `connectNode` takes it. */
export interface NodeTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly path: string;
  readonly hostKey: string;
}

/** Placement, and what it is asked over HTTP. */
export interface TestPlacement extends RunningPlacement {
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  /** The nodes of `GET /status`. */
  nodes(): Promise<readonly NodeStatus[]>;
}

/** What `GET /status` says of a node, as far as tests look at it. */
export interface NodeStatus {
  readonly name: string;
  readonly state: string;
  readonly lastError: { readonly code: string } | null;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const person = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
const secret = "a secret of the tests";

/** Starts commands and projectors on servers with all rights; `key` is what the nodes let in. */
export async function placementBox(
  servers: { readonly natsUrl: string; readonly postgresUrl: string; readonly valkeyUrl: string },
  { key, budgetBytes }: { readonly key: SshKey; readonly budgetBytes: number },
): Promise<PlacementBox> {
  const box = await freshBox(servers);
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-placement-"));
  const keyFile = join(folder, "key");
  writeFileSync(keyFile, key.privateKey, { mode: 0o600 });
  const contentDir = join(folder, "content");
  const env: { readonly [name: string]: string } = {
    ...box.env,
    HUB_CONTENT_DIR: contentDir,
    HUB_CONTENT_BYTES: String(budgetBytes),
    HUB_PLACEMENT_PORT: "0",
    HUB_PLACEMENT_SECRET: secret,
    HUB_PLACEMENT_KEY: keyFile,
    HUB_PLACEMENT_TICK_MS: "100",
    HUB_LOG_LEVEL: "silent",
  };
  let projectors = await startProjectors(readProjectorConfig(env));
  const commands = await startCommands(readCommandsConfig(env));
  const sender = commandSender(box.link, { onMalformed: () => undefined });
  const store = await openBlobStore({ folder: contentDir, owner: processNames(), budgetBytes });
  const pool = openPool(box.databaseUrl, { name: "tests" });
  const lane = await openLane(box.link, { prefix: box.prefix, id: "content.0" });
  const operator = serviceCommands(box.link, { prefix: box.prefix, lane, actor: "operator" });
  const { writer } = await box.nextBeat("content.0");
  const running = new Set<RunningPlacement>();
  let ids = 0;
  const newId = () => derivedId(Date.now(), "test", String(++ids));

  return {
    box,
    store,
    contentDir,
    env,
    async upload(bytes) {
      const source = (async function* () {
        yield bytes;
      })();
      const received = await store.receive(source, { declaredBytes: bytes.byteLength });
      await received.commit();
      await received.discard();
      const { hash, size, chunks } = received;
      const key = { actor: person, id: newId() };
      const subject = derivedId(uuidV7Time(key.id), "file", key.actor, key.id);
      const data = { room, name: "file.bin", type: "application/octet-stream", size, hash, chunks };
      const command = { key, kind: "claimFile", subject, data, deadlineAt: Date.now() + 10_000 } as const;
      const reply = await sender.send(subjects(box.prefix).commands("content.0", writer), command);
      if ("refused" in reply) throw new Error(`the claim was refused: ${JSON.stringify(reply.refused)}`);
      return hash;
    },
    async addNode(name, target) {
      const id = newId();
      const command = { id: newId(), kind: "addNode", subject: id, data: { name, ...target } } as const;
      const reply = await operator.send(command, AbortSignal.timeout(10_000));
      if (reply === undefined || "refused" in reply) throw new Error(`no node: ${JSON.stringify(reply)}`);
      return id;
    },
    placesOf: async (hash) => (await blobPlaces(kyselyOver<ContentTables>(pool), [hash]))[0],
    stopProjectors: () => projectors.close(),
    async startProjectors() {
      projectors = await startProjectors(readProjectorConfig(env));
    },
    async startPlacement(more = {}, step) {
      const placement = await startPlacement(readPlacementConfig({ ...env, ...more }), step);
      running.add(placement);
      const get = (path: string, headers = {}) =>
        fetch(`http://127.0.0.1:${placement.port}${path}`, {
          headers: { authorization: `Bearer ${secret}`, ...headers },
        });
      return {
        ...placement,
        get,
        nodes: async () => (await (await get("/status")).json()).nodes,
        async close() {
          running.delete(placement);
          await placement.close();
        },
      };
    },
    dataDir({ port }) {
      const dataDir = join(folder, "data");
      for (const name of ["", "run", "secrets"]) mkdirSync(join(dataDir, name), { mode: 0o700 });
      const url = box.databaseUrl;
      writeConnections(dataDir, {
        ...{ natsUrl: servers.natsUrl, natsLogins: {}, prefix: box.prefix, roomLanes: 1, laneBytes: 1 },
        ...{ authUrl: url, chatUrl: url, contentUrl: url, vaultUrl: url, vaultRoot: env.HUB_VAULT_ROOT ?? "" },
        ...{ valkeyUrl: servers.valkeyUrl, host: "127.0.0.1", port: 1 },
        content: { dir: contentDir, bytes: budgetBytes, reserveBytes: null },
        placement: { url: `http://127.0.0.1:${port}`, secret, key: keyFile, publicKey: key.publicKey },
      });
      const supervisor = identifyProcess(process.pid);
      if (supervisor === undefined) throw new Error("this process has no identity");
      const state = { phase: "ready", address: "http://127.0.0.1:1", dataFolder: dataDir } as const;
      writeBoxState(dataDir, { ...state, supervisor, servers: [], processes: [] });
      return dataDir;
    },
    async close() {
      for (const placement of running) await placement.close();
      sender.close();
      operator.close();
      await commands.close();
      await projectors.close();
      await pool.end();
      await box.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
