import type { ChatEvent } from "./chatEvent.ts";
import { type EventReader, eventReader } from "./eventReader.ts";
import type { ResetMark, RoomView } from "./roomView.ts";

/** Who looks at a room: listeners get views, loops get events. */
export interface RoomAudience {
  subscribe(listener: (view: RoomView) => void): () => void;
  events(): AsyncIterableIterator<ChatEvent | ResetMark>;
  hasListeners(): boolean;
  /** Shows each listener what `view` makes. */
  show(view: () => RoomView): void;
  push(events: readonly ChatEvent[]): void;
  /** What was pushed before is void. */
  reset(): void;
  end(): void;
}

/** Nobody yet. */
export function roomAudience(room: string): RoomAudience {
  const listeners = new Set<(view: RoomView) => void>();
  const readers = new Set<EventReader<ChatEvent | ResetMark>>();
  const mark = (): ResetMark => ({ t: "reset", r: room });
  let isOver = false;
  return {
    subscribe(listener) {
      // The same function may be given twice.
      const own = (view: RoomView) => listener(view);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    events() {
      const reader = eventReader<ChatEvent | ResetMark>(mark, () => void readers.delete(reader));
      if (isOver) reader.end();
      else readers.add(reader);
      return reader.items;
    },
    hasListeners: () => listeners.size > 0,
    show(view) {
      for (const listener of listeners) listener(view());
    },
    push(events) {
      for (const reader of readers) reader.push(events);
    },
    reset() {
      for (const reader of readers) reader.reset(mark());
    },
    end() {
      isOver = true;
      for (const reader of [...readers]) reader.end();
    },
  };
}
