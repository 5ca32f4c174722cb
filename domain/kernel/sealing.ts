import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Json, JsonObject } from "../values/json.ts";
import type { Commit, StoredEvent } from "./commit.ts";
import type { ContextModel, DomainEvent } from "./event.ts";
import type { VaultKey } from "./ports.ts";
import { drawRandom } from "./randomness.ts";
import { storedDefinition, upcast } from "./versions.ts";

// A stored format: the envelope `{k, alg, n, c}` stands in the place of any field that is sealed.

/** A sealed value: key id, algorithm, nonce, ciphertext with its tag; base64url. */
export interface Envelope {
  readonly k: string;
  readonly alg: "A256GCM";
  readonly n: string;
  readonly c: string;
}

/**
 * `value` sealed with `key`. The place (type, subject, field) is authenticated, so an envelope moved elsewhere does not
 * open. `nonce` is an argument only for golden tests.
 */
export function seal(value: Json, key: VaultKey, place: string, nonce: Uint8Array = drawRandom(12)): Envelope {
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce);
  cipher.setAAD(Buffer.from(place));
  const text = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { k: key.id, alg: "A256GCM", n: Buffer.from(nonce).toString("base64url"), c: text.toString("base64url") };
}

/** The value in an envelope. Throws when it was altered or moved. */
export function unseal(envelope: Envelope, key: VaultKey, place: string): Json {
  const sealed = Buffer.from(envelope.c, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", key.bytes, Buffer.from(envelope.n, "base64url"));
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  const text = Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
  return JSON.parse(text.toString("utf8")) as Json;
}

/** The names of the vault keys that an event will be sealed with. */
export function keyNamesOf(event: DomainEvent, model: ContextModel): string[] {
  return Object.values(storedDefinition(event.type, model)?.sealed ?? {}).map((nameOf) => nameOf(event));
}

/** The event as it is stored; `keyOf` gives the key of a name. `draw` is an argument only for golden samples. */
export function sealEvent(
  event: DomainEvent,
  model: ContextModel,
  keyOf: (name: string) => VaultKey,
  draw: (bytes: number) => Uint8Array = drawRandom,
): StoredEvent {
  const data: Record<string, Json> = { ...event.data };
  for (const [field, nameOf] of Object.entries(storedDefinition(event.type, model)?.sealed ?? {})) {
    data[field] = seal(
      event.data[field] ?? null,
      keyOf(nameOf(event)),
      placeOf(event, field),
      draw(12),
    ) as unknown as Json;
  }
  return { ...event, salt: Buffer.from(draw(16)).toString("base64url"), data };
}

/**
 * The event with its sealed fields open, in its newest version; a field whose key is not in `keys` was erased and is null. An
 * event of an unknown type stays as it is. Throws when altered.
 */
export function openEvent(stored: StoredEvent, model: ContextModel, keys: ReadonlyMap<string, VaultKey>): DomainEvent {
  // Each member by its name: readers of the log open every event, and copying them by spreading costs most of it.
  const { type, subject, s, m, by } = stored;
  const data = openData(stored, model, keys);
  if (s === undefined) return upcast({ type, subject, by, data }, model);
  return upcast(m === undefined ? { type, subject, s, by, data } : { type, subject, s, m, by, data }, model);
}

function openData(stored: StoredEvent, model: ContextModel, keys: ReadonlyMap<string, VaultKey>): JsonObject {
  const fields = Object.keys(storedDefinition(stored.type, model)?.sealed ?? {});
  if (fields.length === 0) return stored.data;
  const data: Record<string, Json> = { ...stored.data };
  for (const field of fields) {
    const envelope = stored.data[field] as unknown as Envelope;
    const key = keys.get(envelope.k);
    data[field] = key === undefined ? null : unseal(envelope, key, placeOf(stored, field));
  }
  return data;
}

/** The ids of all keys that are needed to open the events of these commits. */
export function sealedKeyIds(commits: readonly Commit[], model: ContextModel): string[] {
  const ids = new Set<string>();
  for (const commit of commits) {
    for (const entry of commit.entries) {
      for (const event of entry.events) {
        for (const field of Object.keys(storedDefinition(event.type, model)?.sealed ?? {})) {
          // One without an envelope is for `openEvent` to refuse.
          const id = (event.data[field] as unknown as Envelope | null | undefined)?.k;
          if (id !== undefined) ids.add(id);
        }
      }
    }
  }
  return [...ids];
}

function placeOf(event: { type: string; subject: { kind: string; id: string } }, field: string): string {
  return `${event.type}|${event.subject.kind}|${event.subject.id}|${field}`;
}

const tagBytes = 16;
