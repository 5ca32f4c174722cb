import type { Client, RoomStore, RoomView, SentMessage } from "@connect-hub/sdk";
import type { ChatPrinter } from "./chatPrinter.ts";

/** Names of people by their ids, asked for once. */
export function chatPeople(client: Client): (ids: readonly string[]) => Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  return async (ids) => {
    const unknown = [...new Set(ids)].filter((id) => !names.has(id));
    for (let at = 0; at < unknown.length; at += 200) {
      const { people } = await client.query("people", { ids: unknown.slice(at, at + 200) });
      for (const { id, name } of people) names.set(id, name);
    }
    return names;
  };
}

/** The room that is open, of which everything is printed. */
export interface ChatRooms {
  /** Undefined before a room was opened. */
  readonly open: RoomStore | undefined;
  /** Opens a room and prints its newest messages. */
  enter(id: string): Promise<void>;
  /** Resolves when everything that there is was printed. */
  printed(): Promise<void>;
}

export function chatRooms(
  client: Client,
  namesOf: (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>,
  print: ChatPrinter,
): ChatRooms {
  let open: RoomStore | undefined;
  let leave: () => void = () => undefined;
  let printing: Promise<void> = Promise.resolve();

  function watch(room: RoomStore): void {
    const shown = new Map<number, string>();
    const show = ({ messages }: RoomView): void => {
      const fresh = messages.filter((message): message is SentMessage => message.status === "sent" && isNew(message));
      if (fresh.length > 0) printing = printing.then(() => printAll(fresh)).catch(() => undefined);
    };
    const isNew = ({ s, text, edited, deleted, key: _ }: SentMessage): boolean => {
      const now = JSON.stringify([text, edited, deleted]);
      if (shown.get(s) === now) return false;
      shown.set(s, now);
      return true;
    };
    const printAll = async (messages: readonly SentMessage[]): Promise<void> => {
      const names = await namesOf(messages.map(({ by }) => by));
      for (const message of messages) print.message(room.id, names.get(message.by) ?? message.by, message);
    };
    leave = room.subscribe(show);
    show(room.view);
  }

  return {
    get open() {
      return open;
    },
    async enter(id) {
      const room = client.room(id);
      await room.loaded();
      // It was made a moment ago, or is new to this client: what there is has to come first.
      if (room.view.events.length === 0 && room.view.hasOlder) await room.older();
      leave();
      await printing;
      open = room;
      const others =
        room.view.name === null ? (await room.members()).filter(({ id: who }) => who !== client.user?.id) : [];
      print.opened({ id, name: room.view.name ?? (others.map(({ name }) => name).join(", ") || "(dialog)") });
      watch(room);
    },
    async printed() {
      await printing;
    },
  };
}
