/** The real servers that the hub needs. `valkey` stands for Redis as well. */
export type ServerKind = "nats" | "postgres" | "valkey";

/** The programs that are found or fetched: the servers, and OpenSSH's sshd for content nodes on this machine. */
export type ProgramKind = ServerKind | "sshd";

/** What there is to know about a kind of program before any of it is found. */
export interface ProgramFacts {
  readonly title: string;
  /** Names of the program, best first. */
  readonly programs: readonly string[];
  /** The oldest version that works, with the reason beside the table. */
  readonly minimum: string;
  readonly aptPackage: string;
  readonly brewPackage: string;
}

/** The same of a server that the hub needs. */
export interface ServerFacts extends ProgramFacts {
  readonly urlVariable: string;
  readonly portVariable: string;
  readonly defaultPort: number;
}

/**
 * nats-server 2.12: the newer publish expectations; PostgreSQL 16: still maintained for long and has what the queries use;
 * Redis or Valkey 7: functions and `EXPIRE` options.
 */
export const serverFacts: Readonly<Record<ServerKind, ServerFacts>> = {
  nats: {
    title: "nats-server",
    programs: ["nats-server"],
    minimum: "2.12",
    urlVariable: "HUB_NATS_URL",
    portVariable: "HUB_NATS_PORT",
    defaultPort: 7751,
    aptPackage: "nats-server",
    brewPackage: "nats-server",
  },
  postgres: {
    title: "PostgreSQL",
    programs: ["postgres"],
    minimum: "16",
    urlVariable: "HUB_POSTGRES_URL",
    portVariable: "HUB_POSTGRES_PORT",
    defaultPort: 7752,
    aptPackage: "postgresql",
    brewPackage: "postgresql@18",
  },
  valkey: {
    title: "Redis or Valkey",
    programs: ["valkey-server", "redis-server"],
    minimum: "7",
    urlVariable: "HUB_VALKEY_URL",
    portVariable: "HUB_VALKEY_PORT",
    defaultPort: 7753,
    aptPackage: "valkey-server",
    brewPackage: "valkey",
  },
};

/** OpenSSH 9: what Debian 12 has, tried; its `internal-sftp` knows all extensions that the transfers use. */
const sshdFacts: ProgramFacts = {
  title: "OpenSSH",
  programs: ["sshd"],
  minimum: "9",
  aptPackage: "openssh-server",
  brewPackage: "openssh",
};

/** What there is to know about each program. */
export const programFacts: Readonly<Record<ProgramKind, ProgramFacts>> = { ...serverFacts, sshd: sshdFacts };

/** All kinds, in the order in which they are started. */
export const serverKinds: readonly ServerKind[] = ["nats", "postgres", "valkey"];

/** The command that installs a kind of program on this platform, for messages. */
export function installCommand(kind: ProgramKind, platform: NodeJS.Platform = process.platform): string {
  const facts = programFacts[kind];
  return platform === "darwin" ? `brew install ${facts.brewPackage}` : `apt-get install ${facts.aptPackage}`;
}
