import type { CatalogedEvent } from "@connect-hub/domain/kernel";
import type { EventSample } from "@connect-hub/domain/testing";
import type { Json, JsonObject } from "@connect-hub/domain/values";

// AsyncAPI 3.0.0: https://www.asyncapi.com/docs/reference/specification/v3.0.0

const contexts = ["accounts", "rooms", "content"] as const;
const hash: JsonObject = { type: "string", pattern: "^[0-9a-f]{64}$" };
const text: JsonObject = { type: "string" };
const count: JsonObject = { type: "integer", minimum: 1 };
const instant: JsonObject = { type: "string", format: "date-time" };

/** The log as an AsyncAPI document: a channel for each context, its commits, and every event that one can hold. */
export function asyncApi(catalog: readonly CatalogedEvent[], samples: ReadonlyMap<string, EventSample>): JsonObject {
  const perContext = (of: (context: (typeof contexts)[number]) => [string, JsonObject]) =>
    Object.fromEntries(contexts.map(of));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Connect Hub: the log",
      version: "1",
      description:
        "What stands on the lanes of the log in NATS JetStream: a message is a commit, which holds the events of one or more commands. Made by `npm run docs`; docs/format.md shows the bytes, docs/events.md the events. Internal services have no right on these addresses: they get opened events by client/events (docs/services.md).",
    },
    defaultContentType: "application/json",
    channels: perContext((context) => [context, channel(context)]),
    operations: perContext((context) => [
      `append${capital(context)}`,
      {
        action: "send",
        channel: { $ref: `#/channels/${context}` },
        messages: [{ $ref: `#/channels/${context}/messages/commit` }],
        summary: `The lane's writer appends to the log of ${context}; whoever may read the stream reads it from any number on.`,
      },
    ]),
    components: {
      messages: perContext((context) => [
        `${context}Commit`,
        {
          name: `${context}Commit`,
          title: `A commit of ${context}`,
          payload: { $ref: `#/components/schemas/${context}Commit` },
        },
      ]),
      schemas: {
        Envelope: envelope,
        ...perContext((context) => [`${context}Commit`, commit(context)]),
        ...perContext((context) => [`${context}Entry`, entry(context, catalog)]),
        ...Object.fromEntries(catalog.map((event) => [event.type, schemaOf(event, samples.get(event.type))])),
      },
    },
  };
}

function channel(context: string): JsonObject {
  return {
    address: `log.${context}.{number}.{epoch8}`,
    title: `The lanes of ${context}`,
    description: "One stream for each lane and epoch; the bucket `lanes` says which epoch a lane is in.",
    parameters: {
      number: { description: "The lane's number in its context, from 0." },
      epoch8: { description: "The first 8 digits of the lane's epoch." },
    },
    messages: { commit: { $ref: `#/components/messages/${context}Commit` } },
  };
}

function commit(context: string): JsonObject {
  return object({
    v: { const: 1 },
    lane: { type: "string", pattern: `^${context}[.]\\d+$` },
    epoch: { type: "string", pattern: "^[0-9a-f]{32}$" },
    n: { ...count, description: "Its number: the stream's sequence." },
    term: count,
    writer: text,
    prevHash: { ...text, description: "SHA-256 of the stored bytes of commit n - 1; empty for the first." },
    at: instant,
    entries: { type: "array", maxItems: 256, items: { $ref: `#/components/schemas/${context}Entry` } },
  });
}

function entry(context: string, catalog: readonly CatalogedEvent[]): JsonObject {
  const here = catalog.filter((event) => event.context === context || event.context === "all");
  return object({
    key: object({ actor: text, id: { type: "string", format: "uuid" } }),
    kind: { ...text, description: "The command's name." },
    digest: { ...hash, description: "Keyed hash of the command." },
    result: { description: "What its sender was told." },
    events: { type: "array", items: { oneOf: here.map(({ type }) => ({ $ref: `#/components/schemas/${type}` })) } },
    root: { ...hash, description: "RFC 6962 root over the stored bytes of its events." },
  });
}

/** An event as it is stored. What its sealed fields hold stands in `x-sealed`. */
function schemaOf(event: CatalogedEvent, sample: EventSample | undefined): JsonObject {
  const { type, about, subject, numbered, sealed, newer, data } = event;
  const properties = data.properties as JsonObject;
  const stored = Object.entries(properties).map(([field, schema]): [string, Json] =>
    sealed.includes(field) ? [field, { $ref: "#/components/schemas/Envelope" }] : [field, schema],
  );
  const open = Object.fromEntries(sealed.map((field) => [field, properties[field] ?? {}]));
  const numbers: JsonObject = numbered
    ? {
        s: { ...count, description: "The event's number in its room." },
        m: { ...count, description: "The message's ordinal in its room; only posts have one." },
      }
    : {};
  return {
    title: type,
    description: about,
    ...object(
      {
        type: { const: type },
        subject: object({ kind: { const: subject }, id: text }),
        ...numbers,
        by: { ...text, description: "Who did it: an account's id, or the name of a part of the system." },
        salt: { ...text, description: "16 random bytes, base64url." },
        data: { ...data, properties: Object.fromEntries(stored) },
      },
      ["m"],
    ),
    ...(newer !== undefined && { deprecated: true, "x-read-as": newer }),
    ...(sealed.length > 0 && { "x-sealed": open }),
    ...(sample?.stored !== undefined && { examples: [JSON.parse(sample.stored) as JsonObject] }),
  };
}

const envelope: JsonObject = {
  title: "Envelope",
  description:
    "A sealed field: key id, algorithm, nonce, ciphertext with its tag. Null for nobody: without the key it stays shut.",
  ...object({ k: text, alg: { const: "A256GCM" }, n: text, c: text }),
};

function object(properties: JsonObject, optional: readonly string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
