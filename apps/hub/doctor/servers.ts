import { lstatSync } from "node:fs";
import { openPool } from "@connect-hub/postgres";
import { checkUrlServer, type ServerKind } from "@connect-hub/runtime";
import { openVault } from "@connect-hub/vault";
import type { Connections } from "../box/connections.ts";
import { postgresVersion } from "../box/migrate.ts";
import { examine, type Finding, fail, ok } from "./finding.ts";

/** Whether each server answers and is new enough. */
export async function examineServers(connections: Connections): Promise<readonly Finding[]> {
  const urls: Readonly<Record<ServerKind, string>> = {
    nats: connections.natsUrl,
    postgres: connections.chatUrl,
    valkey: connections.valkeyUrl,
  };
  const looks = Object.entries(urls).map(([kind, url]) =>
    examine(kind, "See what runs: npm run hub -- status. Start the box: npm run hub -- up", async () => {
      const { version, address } = await checkUrlServer(kind as ServerKind, url, postgresVersion);
      return ok(kind, `${version} at ${address}`);
    }),
  );
  return (await Promise.all(looks)).flat();
}

/** Whether the vault's root key is there, nobody else's to read, and opens the vault. Makes neither. */
export async function examineVault({ vaultUrl, vaultRoot }: Connections): Promise<readonly Finding[]> {
  const found = lstatSync(vaultRoot, { throwIfNoEntry: false });
  if (found === undefined) {
    const todo = "Put the file back from your backup: no other key opens the vault.";
    return [fail("vault root key", `${vaultRoot} is missing`, todo)];
  }
  const mode = found.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const says = `others may read ${vaultRoot} (mode ${mode.toString(8)})`;
    return [fail("vault root key", says, `chmod 600 ${vaultRoot}`)];
  }
  return examine("vault", "Put the right root key there, from your backup.", async () => {
    const pool = openPool(vaultUrl, { name: "hub doctor", max: 1 });
    try {
      await openVault({ db: pool, rootFile: vaultRoot });
    } finally {
      await pool.end();
    }
    return [ok("vault root key", `${vaultRoot} (${mode.toString(8)})`), ok("vault", "the root key opens it")];
  });
}
