import { type AskTarget, ask } from "./ask.ts";
import { RuntimeError } from "./errors.ts";
import { type ServerKind, serverFacts } from "./serverKinds.ts";
import { isGoodEnough } from "./serverProgram.ts";
import { parseVersion } from "./versions.ts";

/** A server that somebody else runs, named by its URL, that answered. */
export interface UrlServer {
  readonly kind: ServerKind;
  readonly source: "url";
  /** `unknown` where the server tells it only to those who signed in. */
  readonly version: string;
  readonly address: string;
  readonly url: string;
}

const defaultPorts: Readonly<Record<ServerKind, string>> = { nats: "4222", postgres: "5432", valkey: "6379" };

/**
 * Makes sure that a server answers at a URL and is new enough. Of several nats-servers, separated by commas, the first that answers
 * speaks for all.
 * @param postgresVersion asks PostgreSQL, which tells its version only after a sign-in; without it the version is `unknown`
 * @throws RuntimeError `BadSetting`, `ServerUnreachable`, `ServerTooOld`, each naming the variable
 */
export async function checkUrlServer(
  kind: ServerKind,
  url: string,
  postgresVersion?: (url: string) => Promise<string>,
): Promise<UrlServer> {
  const urls = kind === "nats" ? url.split(",") : [url];
  for (const [index, one] of urls.entries()) {
    try {
      return { ...(await checkOne(kind, one.trim(), postgresVersion)), url };
    } catch (error) {
      const isDown = error instanceof RuntimeError && error.code === "ServerUnreachable";
      if (!isDown || index === urls.length - 1) throw error;
    }
  }
  throw new Error("A text has at least one part.");
}

async function checkOne(
  kind: ServerKind,
  url: string,
  postgresVersion?: (url: string) => Promise<string>,
): Promise<UrlServer> {
  const { title, urlVariable, minimum } = serverFacts[kind];
  const { parsed, target } = parseUrl(kind, url);
  const address = `${target.host}:${target.port}`;
  let version: string | undefined;
  try {
    version = await versionAt(kind, target, parsed, postgresVersion);
  } catch (cause) {
    throw new RuntimeError("ServerUnreachable", `${title} at ${address} (${urlVariable}) refused a connection.`, cause);
  }
  if (version === undefined) {
    throw new RuntimeError(
      "ServerUnreachable",
      `No ${title} answers at ${address}. Start it, or correct ${urlVariable}.`,
    );
  }
  if (version !== "unknown" && !isGoodEnough(kind, version)) {
    throw new RuntimeError(
      "ServerTooOld",
      `${title} at ${address} (${urlVariable}) is ${version}; ${minimum} is needed.`,
    );
  }
  return { kind, source: "url", version, address, url };
}

function parseUrl(kind: ServerKind, url: string): { parsed: URL; target: AskTarget } {
  try {
    const parsed = new URL(url);
    const host = parsed.hostname.replace(/^\[|\]$/g, "");
    if (host === "") throw new TypeError("It names no host.");
    const port = Number(parsed.port === "" ? defaultPorts[kind] : parsed.port);
    return { parsed, target: { host, port, tls: parsed.protocol === "rediss:" } };
  } catch (cause) {
    throw new RuntimeError("BadSetting", `${serverFacts[kind].urlVariable} is not a URL like ${example[kind]}.`, cause);
  }
}

const example: Readonly<Record<ServerKind, string>> = {
  nats: "nats://host:4222",
  postgres: "postgresql://user:password@host:5432/database",
  valkey: "redis://:password@host:6379",
};

async function versionAt(
  kind: ServerKind,
  target: AskTarget,
  parsed: URL,
  postgresVersion?: (url: string) => Promise<string>,
): Promise<string | undefined> {
  switch (kind) {
    case "nats":
      return /^INFO .*"version":"([^"]+)"/.exec(await ask(target, "", (answer) => answer.includes("\r\n")))?.[1];
    case "valkey":
      return valkeyVersion(target, parsed);
    case "postgres": {
      if ((await ask(target, sslRequest, (answer) => answer !== "")) === "") return undefined;
      return postgresVersion === undefined ? "unknown" : parseVersion(await postgresVersion(parsed.href));
    }
  }
}

async function valkeyVersion(target: AskTarget, { username, password }: URL): Promise<string | undefined> {
  const words = [username, password].map(decodeURIComponent).filter((word) => word !== "");
  const signIn = words.length === 0 ? "" : command("AUTH", ...words);
  const done = (answer: string) => /(valkey|redis)_version:.*\r\n|NOAUTH/.test(answer);
  const answer = await ask(target, `${signIn}${command("INFO", "server")}`, done);
  if (/NOAUTH|WRONGPASS|NOPERM/.test(answer)) throw new Error(answer.trim().slice(0, 200));
  // Valkey also tells the version of the Redis that it stands in for; its own counts.
  return (/valkey_version:([\d.]+)/.exec(answer) ?? /redis_version:([\d.]+)/.exec(answer))?.[1];
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

// PostgreSQL answers one letter to this, before any sign-in.
const sslRequest = new Uint8Array([0, 0, 0, 8, 4, 210, 22, 47]);
