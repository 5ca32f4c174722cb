import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { aptMirrors, isUbuntu } from "@connect-hub/runtime";
import { type ContainerRuntimeClient, ImageName } from "testcontainers";
import { aptInstall } from "./engine.ts";
import { output } from "./output.ts";

/** The system under all images: the oldest release whose PostgreSQL is new enough. */
const published = "debian:trixie-slim";
const registryMs = 30_000;

/**
 * The name of the image that the others are built on: one from a registry, or, where none answers, one made from the machine's own apt
 * mirror. What is there already is used again. Throws, saying what would help, when there is no way to one.
 */
export async function baseImage(client: ContainerRuntimeClient, say: (text: string) => void): Promise<string> {
  const suite = isUbuntu() ? "noble" : "trixie";
  const own = `connect-hub/base:${suite}`;
  for (const name of [own, published]) {
    if (await client.image.exists(ImageName.fromString(name))) return name;
  }
  if (await isPulled(client, say)) return published;
  if (process.getuid?.() !== 0 || process.platform !== "linux" || !existsSync("/usr/bin/apt-get")) {
    throw new Error(
      `No registry gives ${published}. Bring it here (docker load), or run this as root on Debian or Ubuntu: then it makes one.`,
    );
  }
  await makeOwn(client, { name: own, suite, say });
  return own;
}

async function isPulled(client: ContainerRuntimeClient, say: (text: string) => void): Promise<boolean> {
  say(`Asking the registry for ${published} …`);
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("It takes too long.")), registryMs).unref();
  });
  try {
    await Promise.race([
      client.image.pull(ImageName.fromString(published), { force: false, platform: undefined }),
      late,
    ]);
    return await client.image.exists(ImageName.fromString(published));
  } catch {
    return false;
  }
}

interface OwnImage {
  readonly name: string;
  readonly suite: string;
  readonly say: (text: string) => void;
}

async function makeOwn(client: ContainerRuntimeClient, { name, suite, say }: OwnImage): Promise<void> {
  if (!existsSync("/usr/sbin/debootstrap")) await aptInstall("debootstrap", say);
  const mirrors = await aptMirrors();
  const mirror = mirrors.find((one) => !/-(security|updates|proposed|backports)/.test(one.suite) && isSystems(one.uri));
  if (mirror === undefined) throw new Error("This machine's apt names no mirror that a base image could come from.");
  say(`No registry answers; making ${name} with debootstrap …`);
  const root = mkdtempSync(join(tmpdir(), "connect-hub-base-"));
  try {
    const components = isUbuntu() ? "main,universe" : "main";
    await output("debootstrap", ["--variant=minbase", `--components=${components}`, suite, root, mirror.uri], {
      env: { ...process.env, ...(await aptProxies()) },
    });
    await importFolder(client, root, name);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Not one of the additional archives that machines have. */
function isSystems(uri: string): boolean {
  return /\/(debian|ubuntu|ubuntu-ports)\/?$/.test(uri);
}

/** The proxies that the machine's apt is told to use, as the environment of other programs names them. */
export async function aptProxies(): Promise<{ readonly [variable: string]: string }> {
  const said = await output("apt-config", [
    "shell",
    "http_proxy",
    "Acquire::http::Proxy",
    "https_proxy",
    "Acquire::https::Proxy",
  ]);
  const found = said.matchAll(/^(https?_proxy)='([^']+)'$/gm);
  return Object.fromEntries([...found].map(([, name = "", value = ""]) => [name, value]));
}

async function importFolder(client: ContainerRuntimeClient, folder: string, name: string): Promise<void> {
  const tar = spawn("tar", [
    "--create",
    "--numeric-owner",
    "--exclude=./var/cache/apt/archives/*.deb",
    "--directory",
    folder,
    ".",
  ]);
  const ended = new Promise<number | null>((resolve) => tar.once("close", resolve));
  const { repository, tag } = splitName(name);
  const answer = await client.container.dockerode.importImage(tar.stdout, { repo: repository, tag });
  await new Promise<void>((resolve, reject) => {
    client.container.dockerode.modem.followProgress(answer, (error) => (error ? reject(error) : resolve()));
  });
  const code = await ended;
  if (code !== 0) throw new Error(`tar ended with ${code}.`);
}

function splitName(name: string): { readonly repository: string; readonly tag: string } {
  const at = name.lastIndexOf(":");
  return { repository: name.slice(0, at), tag: name.slice(at + 1) };
}
