import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findServer } from "@connect-hub/runtime";
import { type ContainerRuntimeClient, ImageName } from "testcontainers";
import { aptProxies } from "./baseImage.ts";

/** The images, each named like the folder beside this file that holds its Dockerfile. */
export const imageKinds = ["nats", "postgres", "valkey", "sshd"] as const;
export type ImageKind = (typeof imageKinds)[number];

/**
 * Builds an image unless the engine has one of the same Dockerfile, files and base; returns its name. Packages are fetched while it is
 * built, over the host's network. Throws with the end of what the build said.
 */
export async function buildImage(
  kind: ImageKind,
  {
    client,
    base,
    say,
  }: { readonly client: ContainerRuntimeClient; readonly base: string; readonly say: (text: string) => void },
): Promise<string> {
  const context = mkdtempSync(join(tmpdir(), `connect-hub-image-`));
  try {
    cpSync(fileURLToPath(new URL(kind, import.meta.url)), context, { recursive: true });
    if (kind === "nats") copyFileSync(await natsProgram(say), join(context, "nats-server"));
    const name = `connect-hub/test-${kind}:${hashOf(context, await idOf(client, base))}`;
    if (await client.image.exists(ImageName.fromString(name))) return name;
    say(`Building ${name} …`);
    const { dockerode } = client.container;
    const stream = await dockerode.buildImage(
      { context, src: readdirSync(context) },
      { t: name, buildargs: { BASE: base, ...(await aptProxies()) }, networkmode: "host", rm: true, forcerm: true },
    );
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const onEnd = (error: Error | null) => {
        if (error === null) resolve();
        else
          reject(new Error(`${name} can't be built: ${said.join("").slice(-2_000)}${error.message}`, { cause: error }));
      };
      dockerode.modem.followProgress(stream, onEnd, (event: { readonly stream?: string }) =>
        said.push(event.stream ?? ""),
      );
    });
    return name;
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** Debian's own nats-server is too old; the one that all other tests run needs nothing but glibc. */
async function natsProgram(say: (text: string) => void): Promise<string> {
  return (await findServer("nats", { privateOnly: true, onProgress: say })).binary;
}

async function idOf(client: ContainerRuntimeClient, base: string): Promise<string> {
  return (await client.container.dockerode.getImage(base).inspect()).Id;
}

function hashOf(folder: string, base: string): string {
  const hash = createHash("sha256").update(base);
  for (const name of readdirSync(folder).sort()) hash.update(`\0${name}\0`).update(readFileSync(join(folder, name)));
  return hash.digest("hex").slice(0, 16);
}
