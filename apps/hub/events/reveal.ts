import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type ContextModel, openEvent, type StoredEvent, type Vault } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import { type Context, contextOf, type JsonObject } from "@connect-hub/domain/values";
import { openPool } from "@connect-hub/postgres";
import { openVault } from "@connect-hub/vault";
import type { Connections } from "../box/connections.ts";
import { isEnvelope } from "./eventLine.ts";
import type { Proof, ProvenEvent } from "./proof.ts";

const models: { readonly [context in Context]: ContextModel } = {
  accounts: accountModel,
  rooms: roomModel,
  content: contentModel,
};

/** Runs `work` with the vault of a box. */
export async function withVault<T>(
  { vaultUrl, vaultRoot }: Connections,
  work: (vault: Vault) => Promise<T>,
): Promise<T> {
  const pool = openPool(vaultUrl, { name: "hub", max: 1 });
  try {
    return await work(await openVault({ db: pool, rootFile: vaultRoot }));
  } finally {
    await pool.end();
  }
}

/** A proof that also says what the sealed fields hold; null for what was erased. Nothing proves that they do. */
export async function reveal(proof: Proof, connections: Connections) {
  const model = models[contextOf(proof.head.lane)];
  return withVault(connections, async (vault) => ({
    ...proof,
    events: await Promise.all(
      proof.events.map(async (event) => ({ ...event, notProven: await opened(event, model, vault) })),
    ),
  }));
}

async function opened({ bytes }: ProvenEvent, model: ContextModel, vault: Vault): Promise<JsonObject> {
  const stored: StoredEvent = JSON.parse(bytes);
  const keys = await vault.byId(Object.values(stored.data).flatMap((value) => (isEnvelope(value) ? [value.k] : [])));
  return openEvent(stored, model, keys).data;
}
