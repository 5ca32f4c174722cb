import {
  type CommandDefinition,
  type ContextModel,
  type DomainEvent,
  type EventDefinition,
  type OldEventDefinition,
  upcast,
} from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";

// Rooms as they were before `MessageEdited.v2`: what an app of the version before knows.

const { "MessageEdited.v2": edited, ...others } = roomModel.events;
if (edited === undefined) throw new Error("the newest version of an edit has another name");
const newest: EventDefinition = edited;

/** An old version when it was the newest; it made the very rows that it makes now. */
function asItWas(old: OldEventDefinition): EventDefinition {
  const { type, about, subject, data, sealed } = old;
  return {
    ...{ type, about, subject, data, sealed },
    public: (event) => newest.public?.(upcast(event, roomModel)) ?? { t: "hidden", d: {} },
    changes: (event, place) => newest.changes(upcast(event, roomModel), place),
  };
}

/** The model of before. It is another version of facts, and does not know what came after it. */
export const formerRoomModel: ContextModel = {
  ...roomModel,
  events: {
    ...others,
    ...Object.fromEntries(Object.values(roomModel.oldEvents).map((old) => [old.type, asItWas(old)])),
  },
  oldEvents: {},
};

const editMessage: CommandDefinition = {
  ...roomCommands.editMessage,
  decide(command, facts, context) {
    const decision = roomCommands.editMessage.decide(command, facts, context);
    return "refused" in decision ? decision : { ...decision, events: decision.events.map(asWritten) };
  },
};

/** The commands of before. */
export const formerRoomCommands = { ...roomCommands, editMessage };

function asWritten(event: DomainEvent): DomainEvent {
  const { files, ...data } = event.data;
  if (Array.isArray(files) && files.length > 0) return { ...event, type: "MessageWithFilesEdited.v1" };
  const text = (event.data.body as { readonly text: string }).text;
  return { ...event, type: "MessageEdited.v1", data: { ...data, body: { text } } };
}
