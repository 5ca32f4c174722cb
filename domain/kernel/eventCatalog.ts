import * as z from "zod";
import type { Context } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";
import type { ContextModel, EventDefinition, OldEventDefinition, StoredDefinition, Subject } from "./event.ts";
import { laneEvents } from "./laneEvents.ts";

/** What anybody has to know of a stored version of an event to read it. */
export interface CatalogedEvent {
  readonly type: string;
  /** The context in whose lanes it stands; `all` for those of lanes themselves. */
  readonly context: Context | "all";
  readonly about: string;
  readonly subject: Subject["kind"];
  /** The type as which it is read; missing for the newest version. */
  readonly newer?: string;
  /** Whether it has a number in its room. */
  readonly numbered: boolean;
  /** The fields of `data` that are stored sealed. */
  readonly sealed: readonly string[];
  /** The shape of `data` with its sealed fields open, as JSON Schema (2020-12). */
  readonly data: JsonObject;
}

/** Every version of every event that a log may hold, by context and name. */
export function eventCatalog(models: readonly ContextModel[]): CatalogedEvent[] {
  const ofModels = models.flatMap((model) => {
    const newest = Object.values(model.events).map((event) => entry(event, model.context, isNumbered(event)));
    const old = Object.values(model.oldEvents).map((event) => {
      const numbered = isNumbered(newestOf(event, model));
      return { ...entry(event, model.context, numbered), newer: event.newer };
    });
    return [...newest, ...old].sort((a, b) => (a.type < b.type ? -1 : 1));
  });
  return [...ofModels, ...Object.values(laneEvents).map((event) => entry(event, "all", false))];
}

function entry(event: StoredDefinition, context: CatalogedEvent["context"], numbered: boolean): CatalogedEvent {
  const { type, about, subject, sealed } = event;
  const { $schema: _, ...data } = z.toJSONSchema(event.data, {
    override: ({ jsonSchema }) => dropSafeBounds(jsonSchema),
  });
  return { type, context, about, subject, numbered, sealed: Object.keys(sealed), data: data as JsonObject };
}

/** Every whole number in JSON has these bounds. */
function dropSafeBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

function newestOf({ newer }: OldEventDefinition, model: ContextModel): EventDefinition | undefined {
  const old = model.oldEvents[newer];
  return old === undefined ? model.events[newer] : newestOf(old, model);
}

const isNumbered = (event: EventDefinition | undefined): boolean => event?.public !== undefined;
