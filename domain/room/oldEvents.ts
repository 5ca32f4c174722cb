import * as z from "zod";
import type { DomainEvent, OldEventDefinition } from "../kernel/event.ts";
import type { JsonObject } from "../values/json.ts";

// The versions of events of rooms that nobody writes any more. A stored format: shapes and key names stand here as they
// were, and share nothing with those of today.

const bodyKeyName = (event: DomainEvent): string => `body:${event.subject.id}:${event.by}`;

const messageEditedV1: OldEventDefinition = {
  type: "MessageEdited.v1",
  about: "A message without files has another text.",
  subject: "room",
  data: z.strictObject({
    message: z.int(),
    edits: z.array(z.int()),
    body: z.strictObject({ text: z.string() }).nullable(),
  }),
  sealed: { body: bodyKeyName },
  newer: "MessageEdited.v2",
  upcast({ data }) {
    const { message = null, edits = [] } = data;
    const body = data.body as JsonObject | null;
    return { message, edits, files: [], body: body && { text: body.text ?? null, files: [] } };
  },
};

const messageWithFilesEditedV1: OldEventDefinition = {
  type: "MessageWithFilesEdited.v1",
  about: "A message with files has another text.",
  subject: "room",
  data: z.strictObject({
    message: z.int(),
    edits: z.array(z.int()),
    files: z.array(z.string()).min(1),
    body: z
      .strictObject({
        text: z.string(),
        files: z
          .array(
            z.strictObject({
              id: z.string(),
              name: z.string().nullable(),
              size: z.int().nullable(),
              type: z.string().nullable(),
            }),
          )
          .min(1),
      })
      .nullable(),
  }),
  sealed: { body: bodyKeyName },
  newer: "MessageEdited.v2",
  upcast: ({ data }) => data,
};

export const oldRoomEvents: readonly OldEventDefinition[] = [messageEditedV1, messageWithFilesEditedV1];
