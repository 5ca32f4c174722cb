import type { CatalogedEvent } from "@connect-hub/domain/kernel";
import type { EventSample } from "@connect-hub/domain/testing";
import type { JsonObject } from "@connect-hub/domain/values";

const sections = {
  accounts: "Accounts",
  rooms: "Rooms",
  content: "Content: files, their bytes, the nodes that keep them",
  all: "Lanes",
} as const;

const intro = `# Events

Every version of every event that a log may hold. Made by \`npm run docs\` from the definitions in \`domain/*/events.ts\`; a test fails when this
page is not what they say. \`hub events types\` prints the same, \`asyncapi.json\` is the same for programs, \`format.md\` shows how the bytes of
commits and events are laid out.

- **Subject**: what the event is about, \`{kind, id}\`. **Numbered** events are those of a room that its members see: \`s\` counts them from 1.
- **Sealed** fields lie in the log as envelopes, each under a key of the vault. Once the key is destroyed they are erased: they open as \`null\`.
- **Old** versions are not written any more. Whoever reads the log through our code gets them as the newest version; the bytes stay.

## To change an event

A version that was ever released never changes: not its shape, nor what is sealed, nor its sample (\`domain/events.lock.json\` holds it to that).

1. Make the next version (\`MessageEdited.v3\`) with its shape and \`changes\`; let the deciders write it.
2. Move the old one to \`oldEvents\`, with its shape as it was, \`newer\` and \`upcast\`: what it says, in the data of the next version.
3. Write its golden sample, \`domain/testing/golden/TYPE.json\`, with \`{"opened": {…}}\`; \`npm run docs\` adds the stored bytes and locks it.
4. \`npm run docs -- --freeze\` writes a frozen log by the new code. The ones before must still make the same tables; when the same events
   are meant to make other rows, raise the model's \`revision\` and run \`npm run docs\`.
5. Upgrade a running box in the order of \`upgrade.md\`.
`;

/** The text of docs/events.md. */
export function eventsPage(catalog: readonly CatalogedEvent[], samples: ReadonlyMap<string, EventSample>): string {
  const parts = Object.entries(sections).map(([context, title]) => {
    const events = catalog.filter((event) => event.context === context);
    const paragraphs = events.map((event) => paragraph(event, samples.get(event.type)));
    return [`## ${title}\n`, overview(events), ...paragraphs].join("\n");
  });
  return [intro, ...parts].join("\n");
}

function overview(events: readonly CatalogedEvent[]): string {
  const rows = events.map(({ type, about, newer }) => {
    const version = newer === undefined ? "newest" : `old, read as ${newer}`;
    return `| [\`${type}\`](#${anchor(type)}) | ${version} | ${about} |`;
  });
  return `${["| type | version | what happened |", "|---|---|---|", ...rows].join("\n")}\n`;
}

function paragraph(event: CatalogedEvent, sample: EventSample | undefined): string {
  const { type, about, subject, numbered, newer, data, sealed } = event;
  const facts = [
    `Subject: ${subject}.`,
    ...(numbered ? ["Numbered."] : []),
    ...(newer === undefined ? [] : [`Old: read as \`${newer}\`.`]),
  ];
  const example = JSON.stringify(sample?.opened ?? {}, undefined, 2);
  const lines = [`### ${type}\n`, `${about} ${facts.join(" ")}\n`, ...fieldTable(data, sealed)];
  return `${lines.join("\n")}\n\`\`\`json\n${example}\n\`\`\`\n`;
}

function fieldTable(data: JsonObject, sealed: readonly string[]): string[] {
  const fields = Object.entries(data.properties as { [field: string]: JsonObject });
  if (fields.length === 0) return ["No data.\n"];
  const rows = fields.map(([field, schema]) => {
    const isSealed = sealed.includes(field) ? "sealed" : "";
    return `| \`${field}\` | ${typeText(schema)} | ${isSealed} | ${schema.description ?? ""} |`;
  });
  return [`${["| field | type | | |", "|---|---|---|---|", ...rows].join("\n")}\n`];
}

/** A JSON Schema in words. Only what the events use. */
function typeText(schema: JsonObject): string {
  const { type, enum: values, anyOf } = schema;
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeText(one as JsonObject)).join(" or ");
  if (Array.isArray(values)) return values.map((value) => `\`${value}\``).join(", ");
  if (Array.isArray(type)) return type.join(" or ");
  if (type === "array") return `list of ${typeText(schema.items as JsonObject)}`;
  if (type !== "object") return String(type);
  const members = Object.entries(schema.properties as { [field: string]: JsonObject });
  return `{ ${members.map(([name, member]) => `${name}: ${typeText(member)}`).join("; ")} }`;
}

function anchor(type: string): string {
  return type.toLowerCase().replaceAll(".", "");
}
