import type { ChatEvent } from "./chatEvent.ts";
import type { SentMessage } from "./roomView.ts";

/** Messages made of the events of a room. */
export interface MessageFold {
  /** The next event, ascending. */
  add(event: ChatEvent): void;
  /** By `s`. */
  messages(): readonly SentMessage[];
}

/** An empty fold. Edits and deletions of a message whose post was not added change nothing. */
export function messageFold(): MessageFold {
  const messages = new Map<number, SentMessage>();

  function change(s: number, to: Partial<SentMessage>): void {
    const message = messages.get(s);
    if (message !== undefined) messages.set(s, { ...message, ...to });
  }

  return {
    add(event) {
      switch (event.t) {
        case "messagePosted": {
          const { s, by, at, d } = event;
          const { text, files = [] } = d;
          messages.set(s, { status: "sent", s, by, at, text, files, edited: false, deleted: false });
          return;
        }
        case "messageEdited":
          return change(event.d.message, { text: event.d.text, edited: true });
        case "messageDeleted":
          return change(event.d.message, { text: null, files: [], deleted: true });
        default:
          return;
      }
    },
    messages: () => [...messages.values()],
  };
}
