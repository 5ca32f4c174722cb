import { createHash } from "node:crypto";
import { canonicalJson } from "../values/json.ts";
import type { ContextModel } from "./event.ts";

/**
 * What the code understands of a context's read tables: 16 hex digits over the tables' columns, the types of the
 * events, old ones too, and the model's revision. Tables that were filled under another version can't be trusted; they are rebuilt.
 */
export function factsVersionOf(model: ContextModel): string {
  const tables = model.tables.map(({ name, schema, key, columns }) => ({ name, schema, key, columns }));
  const [events, oldEvents] = [model.events, model.oldEvents].map((some) => Object.keys(some).sort());
  const text = canonicalJson({ tables, events: events ?? [], oldEvents: oldEvents ?? [], revision: model.revision });
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
