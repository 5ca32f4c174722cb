import { type CatalogedEvent, eventCatalog } from "@connect-hub/domain/kernel";
import { type EventSample, goldenEvents } from "@connect-hub/domain/testing";
import type { Json } from "@connect-hub/domain/values";
import { openApi } from "@connect-hub/edge";
import { frozenLanes } from "../frozen/world.ts";
import { asyncApi } from "./asyncApi.ts";
import { eventsPage } from "./eventsPage.ts";
import { lockFile, lockOf } from "./lock.ts";

/** All events of all contexts. */
export function wholeCatalog(): CatalogedEvent[] {
  return eventCatalog(Object.values(frozenLanes));
}

/** What is made of definitions, those of events and their samples, and of the routes of HTTP: each file and the text that belongs there. */
export function documents(
  catalog: readonly CatalogedEvent[] = wholeCatalog(),
  samples: ReadonlyMap<string, EventSample> = goldenEvents(),
): (readonly [file: URL, text: string])[] {
  const inDocs = (name: string) => new URL(`../../docs/${name}`, import.meta.url);
  return [
    [lockFile, jsonText(lockOf(catalog, samples) as unknown as Json)],
    [inDocs("events.md"), eventsPage(catalog, samples)],
    [inDocs("asyncapi.json"), jsonText(asyncApi(catalog, samples))],
    [inDocs("openapi.json"), jsonText(openApi())],
  ];
}

export function jsonText(value: Json): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
