import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, identifyProcess, isRunning, makeSshKey } from "@connect-hub/runtime";
import { type ContainerRuntimeClient, GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import type { SharedNode } from "../setup/testNode.ts";
import type { ImageKind } from "./images.ts";

/** The four servers of one run. */
export interface Containers {
  /** What each server says of its version. */
  readonly versions: readonly string[];
  /** Tells the integration tests where they are (`tests/setup/servers.ts`). */
  readonly env: { readonly [variable: string]: string };
  close(): Promise<void>;
}

/** Who started a container: `pid startedAt`. */
const ownerLabel = "connect-hub.owner";
const startMs = 60_000;
/** Who the node's files belong to: this user, who looks at them, or for root somebody who is nobody on this machine. */
const account = process.getuid?.() || 47_110;

interface Plan {
  readonly environment: { readonly [name: string]: string };
  /** Folders of this machine, by where they stand in the container. */
  readonly mounts?: { readonly [target: string]: string };
  readonly files?: readonly { readonly target: string; readonly content: string; readonly mode: number }[];
  /** What its log says once it serves. */
  readonly ready: RegExp;
  readonly versionCommand: readonly string[];
}

/**
 * Starts a container of each image, in the host's network, where each listens on a free port of the loopback address alone; the
 * node keeps its files in `runFolder`.
 */
export async function startContainers(
  images: { readonly [kind in ImageKind]: string },
  runFolder: string,
): Promise<Containers> {
  const password = randomBytes(24).toString("hex");
  const key = makeSshKey("tests");
  const hostKey = makeSshKey("node");
  const folder = join(runFolder, "node");
  mkdirSync(folder);
  const plans: { readonly [kind in ImageKind]: Plan } = {
    nats: { environment: {}, ready: /Server is ready/, versionCommand: ["nats-server", "--version"] },
    postgres: {
      environment: { PASSWORD: password },
      ready: /database system is ready to accept connections/,
      versionCommand: ["/usr/local/postgres/postgres", "--version"],
    },
    valkey: {
      environment: { PASSWORD: password },
      ready: /Ready to accept connections/,
      versionCommand: ["valkey-server", "--version"],
    },
    sshd: {
      environment: { ACCOUNT: String(account) },
      mounts: { "/srv/store/data": folder },
      files: [
        { target: "/etc/ssh/host_key", content: hostKey.privateKey, mode: 0o600 },
        { target: "/etc/ssh/authorized_key", content: `${key.publicKey}\n`, mode: 0o644 },
      ],
      ready: /Server listening on/,
      versionCommand: ["/usr/sbin/sshd", "-V"],
    },
  };
  const containers: StartedTestContainer[] = [];
  const close = async () => {
    await Promise.all(containers.map((one) => one.stop({ timeout: 5_000, remove: true, removeVolumes: true })));
  };
  const start = async (kind: ImageKind) => {
    const port = await freePort();
    const container = await startContainer(images[kind], port, plans[kind]);
    containers.push(container);
    const { output } = await container.exec([...plans[kind].versionCommand]);
    return { port, version: output.trim().split("\n").at(-1) ?? "" };
  };
  const starts = [start("nats"), start("postgres"), start("valkey"), start("sshd")] as const;
  try {
    await Promise.allSettled(starts);
    const [nats, postgres, valkey, sshd] = await Promise.all(starts);
    const target = { host: "127.0.0.1", port: sshd.port, user: "store", path: "/data", hostKey: hostKey.fingerprint };
    const node: SharedNode = { privateKey: key.privateKey, target, folder, uid: account };
    return {
      versions: [nats, postgres, valkey, sshd].map(({ version }) => version),
      env: {
        HUB_TEST_NATS_URL: `nats://127.0.0.1:${nats.port}`,
        HUB_TEST_POSTGRES_URL: `postgresql://hub:${password}@127.0.0.1:${postgres.port}/hub`,
        HUB_TEST_VALKEY_URL: `redis://:${password}@127.0.0.1:${valkey.port}`,
        HUB_TEST_NODE: JSON.stringify(node),
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startContainer(image: string, port: number, plan: Plan): Promise<StartedTestContainer> {
  return new GenericContainer(image)
    .withNetworkMode("host")
    .withEnvironment({ ...plan.environment, PORT: String(port) })
    .withBindMounts(Object.entries(plan.mounts ?? {}).map(([target, source]) => ({ source, target, mode: "rw" })))
    .withCopyContentToContainer([...(plan.files ?? [])])
    .withLabels({ [ownerLabel]: ownIdentity() })
    .withWaitStrategy(Wait.forLogMessage(plan.ready))
    .withStartupTimeout(startMs)
    .start();
}

/** Removes containers of earlier runs that were killed; those of a run that is under way, and of others, stay. */
export async function sweepContainers(client: ContainerRuntimeClient): Promise<void> {
  const { dockerode } = client.container;
  for (const { Id, Labels } of await dockerode.listContainers({ all: true, filters: { label: [ownerLabel] } })) {
    const [pid, startedAt = ""] = (Labels[ownerLabel] ?? "").split(" ");
    if (!isRunning({ pid: Number(pid), startedAt })) await dockerode.getContainer(Id).remove({ force: true, v: true });
  }
}

function ownIdentity(): string {
  const own = identifyProcess(process.pid);
  if (own === undefined) throw new Error("The operating system doesn't tell about this process.");
  return `${own.pid} ${own.startedAt}`;
}
