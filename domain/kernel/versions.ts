import type { ContextModel, DomainEvent, StoredDefinition } from "./event.ts";
import { laneEvents } from "./laneEvents.ts";

// Events are stored in the version of their day and read in the newest one: each old version knows the next.

/** How events of a stored type are sealed and opened; undefined for a type that this code does not know. */
export function storedDefinition(type: string, model: ContextModel): StoredDefinition | undefined {
  return model.events[type] ?? model.oldEvents[type] ?? laneEvents[type];
}

/** An opened event in its newest version: all but type and data stays. One of an unknown type stays as it is. */
export function upcast(event: DomainEvent, model: ContextModel): DomainEvent {
  let newest = event;
  for (let old = model.oldEvents[event.type]; old !== undefined; old = model.oldEvents[newest.type]) {
    newest = { ...newest, type: old.newer, data: old.upcast(newest) };
  }
  return newest;
}

/** The types under which events of these newest types may stand in the log: themselves, and what is upcast to them. */
export function storedTypesOf(types: readonly string[], model: ContextModel): string[] {
  const older = Object.values(model.oldEvents).filter(({ newer }) => types.includes(newer));
  if (older.length === 0) return [...types];
  return [
    ...types,
    ...storedTypesOf(
      older.map(({ type }) => type),
      model,
    ),
  ];
}
