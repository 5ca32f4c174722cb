/** The real servers that the hub needs. `valkey` stands for Redis as well. */
export type ServerKind = "nats" | "postgres" | "valkey";

/** What there is to know about a kind of server before any of it is found. */
export interface ServerFacts {
  readonly title: string;
  /** Names of the program, best first. */
  readonly programs: readonly string[];
  /** The oldest version that works, with the reason beside the table. */
  readonly minimum: string;
  readonly urlVariable: string;
  readonly portVariable: string;
  readonly defaultPort: number;
  readonly aptPackage: string;
  readonly brewPackage: string;
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

/** All kinds, in the order in which they are started. */
export const serverKinds: readonly ServerKind[] = ["nats", "postgres", "valkey"];

/** The command that installs a kind of server on this platform, for messages. */
export function installCommand(kind: ServerKind, platform: NodeJS.Platform = process.platform): string {
  const facts = serverFacts[kind];
  return platform === "darwin" ? `brew install ${facts.brewPackage}` : `apt-get install ${facts.aptPackage}`;
}
