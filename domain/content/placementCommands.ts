import * as z from "zod/mini";
import type { Command, CommandDefinition } from "../kernel/command.ts";
import { inputOf } from "../kernel/commandInput.ts";
import { type FactRef, factRef } from "../kernel/fact.ts";
import { Id } from "../values/ids.ts";
import { accept, blobOf, blobRef, event, FileSize, Hash, nothing, pick, refuse, text } from "./decisions.ts";
import { comparePressure, type PressureLevel, pressureLevels } from "./pressure.ts";

const Bytes = z.int().check(z.gte(0));

/** By placement, when the level of the server's disk changed; `subject` is `local`. */
export const reportPressure: CommandDefinition = {
  context: "content",
  input: inputOf(z.strictObject({ level: z.enum(pressureLevels), used: Bytes, budget: Bytes })),
  secretFields: [],
  needs: (command) => [factRef("stores", command.subject)],
  decide(command, facts) {
    const before = facts.get(factRef("stores", command.subject))?.level ?? "none";
    const change = comparePressure(command.data.level as PressureLevel, before as PressureLevel);
    if (change === 0) return nothing;
    const type = change > 0 ? "DiskPressureRaised.v1" : "DiskPressureCleared.v1";
    const data = pick(command.data, "level", "used", "budget");
    return accept([event(type, { kind: "store", id: command.subject }, command, data)]);
  },
};

/** By the operator; `subject` is the id of the node to be. `hostKey` is what was seen and approved: `SHA256:…`. */
export const addNode: CommandDefinition = {
  context: "content",
  input: inputOf(
    z.strictObject({
      name: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "must be up to 40 of a-z, 0-9 and -")),
      host: text(253),
      port: z.int().check(z.gte(1), z.lte(65_535)),
      user: text(64),
      path: text(1_024),
      hostKey: z.string().check(z.regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "must be a fingerprint, SHA256:…")),
    }),
  ),
  secretFields: [],
  needs: (command) => [factRef("nodes", command.subject), nameRef(command)],
  decide(command, facts) {
    if (facts.get(factRef("nodes", command.subject)) || facts.get(nameRef(command))) return refuse("NodeExists");
    const data = pick(command.data, "name", "host", "port", "user", "path", "hostKey");
    return accept([event("NodeAdded.v1", { kind: "node", id: command.subject }, command, data)], {
      node: command.subject,
    });
  },
};

/** By placement, when bytes on a node were read back and are right; `subject` is their hash. */
export const recordReplica: CommandDefinition = {
  context: "content",
  input: inputOf(z.strictObject({ hash: Hash, node: Id, name: text(255), size: FileSize })),
  secretFields: [],
  needs: (command) => [blobRef(command.data.hash), nodeRef(command), replicaRef(command)],
  decide(command, facts) {
    const { hash } = command.data;
    if (!facts.get(blobRef(hash))) return refuse("BlobNotFound");
    if (!facts.get(nodeRef(command))) return refuse("NodeNotFound");
    if (facts.get(replicaRef(command))) return nothing;
    return accept([event("ReplicaVerified.v1", blobOf(hash), command, pick(command.data, "node", "name", "size"))]);
  },
};

/** By placement, before it removes the server's file; `subject` is the hash. */
export const dropLocal: CommandDefinition = {
  context: "content",
  input: inputOf(z.strictObject({ hash: Hash, minReplicas: z.int().check(z.gte(1)) })),
  secretFields: [],
  needs: (command) => [blobRef(command.data.hash)],
  decide(command, facts) {
    const { hash, minReplicas } = command.data;
    const blob = facts.get(blobRef(hash));
    if (!blob) return refuse("BlobNotFound");
    if (Number(blob.replicas) < Number(minReplicas))
      return refuse("NotEnoughReplicas", { replicas: blob.replicas ?? 0 });
    return blob.local === false ? nothing : accept([event("LocalCopyDropped.v1", blobOf(hash), command, {})]);
  },
};

const nameRef = (command: Command): FactRef => factRef("node_names", String(command.data.name));
const nodeRef = (command: Command): FactRef => factRef("nodes", String(command.data.node));
const replicaRef = (command: Command): FactRef =>
  factRef("replicas", String(command.data.hash), String(command.data.node));
