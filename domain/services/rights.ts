import * as z from "zod";
import { type Context, contexts, Id } from "../values/ids.ts";
import { ServiceError } from "./errors.ts";
import { models } from "./models.ts";

/** What one internal service may see, as the operator said it: stored as JSON under the service's name. */
export const ServiceRights = z.strictObject({
  /** All events of these contexts, what is sealed in them as it is; null: those of `types` and `rooms`, opened. */
  contexts: z.array(z.enum(contexts)).min(1).readonly().nullable(),
  /** Only events of these types, without their versions; null for all. */
  types: z.array(z.string()).min(1).readonly().nullable(),
  /** Only events of these rooms; null for all. */
  rooms: z.array(Id).min(1).readonly().nullable(),
  addedAt: z.iso.datetime(),
});
export type ServiceRights = Readonly<z.infer<typeof ServiceRights>>;

/** The rights in a stored text. Throws `ServiceError` `UnknownService` when it holds none that can be read. */
export function parseRights(name: string, text: string | undefined): ServiceRights {
  if (text === undefined) {
    throw new ServiceError(
      "UnknownService",
      `There is no service ${name}. An operator adds it by: npm run hub -- service add ${name} --contexts …`,
    );
  }
  try {
    return ServiceRights.parse(JSON.parse(text));
  } catch {
    const message = `What the service ${name} may see can't be read, so it sees nothing. An operator says it anew by: npm run hub -- service add ${name} …`;
    throw new ServiceError("UnknownService", message);
  }
}

/** The newest type of each event, by its name without the version. */
const newest: ReadonlyMap<string, { readonly type: string; readonly context: Context }> = new Map(
  contexts.flatMap((context) =>
    Object.keys(models[context].events).map((type) => [nameOf(type), { type, context }] as const),
  ),
);

/** An event's type without its version. */
export function nameOf(type: string): string {
  return type.replace(/\.v\d+$/, "");
}

/** The context of an event, by the name of its type without the version. Throws `ServiceError` `UnknownType`. */
export function contextOfType(type: string): Context {
  return known(type).context;
}

function known(type: string): { readonly type: string; readonly context: Context } {
  const found = newest.get(nameOf(type));
  if (found === undefined) {
    const names = [...newest.keys()].sort().join(", ");
    throw new ServiceError("UnknownType", `There are no events of the type "${type}", only ${names}.`);
  }
  if (type !== nameOf(type) && type !== found.type) {
    const text = `${type} is not the newest version, and events are given in the newest one alone, which is ${found.type}: ask for ${nameOf(type)}.`;
    throw new ServiceError("UnknownType", text);
  }
  return found;
}

/**
 * The newest types that service `name` gets by asking for `asked` (with or without the version; undefined for all that it may see),
 * by context. Throws `ServiceError` `UnknownType` and `NotAllowed`.
 */
export function visibleTypes(
  name: string,
  rights: ServiceRights,
  asked: readonly string[] | undefined,
): ReadonlyMap<Context, readonly string[]> {
  const found = asked === undefined ? [...newest.values()].filter((one) => sees(rights, one)) : asked.map(known);
  const denied = found.filter((one) => !sees(rights, one));
  if (denied.length > 0) {
    const what = denied.map(({ type, context }) => `${nameOf(type)} (of ${context})`).join(", ");
    throw new ServiceError(
      "NotAllowed",
      `The service ${name} may not see ${what}: it may see ${inWords(rights)}. An operator gives it more by: npm run hub -- service add ${name} …`,
    );
  }
  const byContext = new Map<Context, string[]>();
  for (const { type, context } of found) byContext.set(context, [...(byContext.get(context) ?? []), type]);
  return byContext;
}

function sees({ contexts: own, types, rooms }: ServiceRights, one: { type: string; context: Context }): boolean {
  if (own !== null) return own.includes(one.context);
  // Only what is about a room says of which room it is.
  if (rooms !== null && one.context !== "rooms") return false;
  return types === null || types.includes(nameOf(one.type));
}

/** What a service may see, for people. */
export function inWords({ contexts: own, types, rooms }: ServiceRights): string {
  if (own !== null) return `all of ${own.join(", ")}`;
  const what = types === null ? "all events" : types.join(", ");
  return rooms === null ? what : `${what} of ${rooms.length} room(s)`;
}
