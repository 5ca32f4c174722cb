import type { CatalogedEvent } from "@connect-hub/domain/kernel";
import type { Command } from "commander";
import { textTable } from "../table.ts";
import { knownEvents } from "./knownTypes.ts";

/** `hub events types`: every version of every event that this code reads. It asks no server. */
export function registerTypes(events: Command): void {
  events
    .command("types")
    .description("print every event that a log may hold: its versions, fields, what is sealed (docs/events.md)")
    .option("--json", "with the shape of each as JSON Schema")
    .action(({ json }: { readonly json?: true }) => {
      const catalog = knownEvents();
      console.log(json === true ? JSON.stringify(catalog, undefined, 2) : typesTable(catalog));
    });
}

function typesTable(catalog: readonly CatalogedEvent[]): string {
  return textTable(
    ["context", "type", "version", "subject", "fields (* sealed)", "what happened"],
    catalog.map(({ context, type, newer, subject, data, sealed, about }) => {
      const fields = Object.keys(data.properties ?? {}).map((field) => (sealed.includes(field) ? `${field}*` : field));
      return [context, type, newer === undefined ? "newest" : `read as ${newer}`, subject, fields.join(" "), about];
    }),
  );
}
