import type { Client } from "./client.ts";
import type { HubError } from "./hubError.ts";
import { type FedStore, roomStore, type StoreSource } from "./roomStore.ts";
import type { RoomTracks } from "./roomTracks.ts";
import type { RoomStore } from "./roomView.ts";

/** The stores that were asked for, each made once. */
export interface RoomStores {
  /** The store of a room, made now if nobody asked before. */
  get(room: string): RoomStore;
  /** The store of a room, if there is one. */
  of(room: string): FedStore | undefined;
  /** Something of every room may be another. */
  changed(): void;
  close(error: HubError): void;
}

/** What the stores of one client are fed from. */
interface StoresSource extends Pick<StoreSource, "command" | "query" | "newKey" | "history"> {
  /** Undefined before the client was online. */
  user(): string | undefined;
  readonly rooms: Client["rooms"];
  readonly tracks: Pick<RoomTracks, "at">;
}

/** No stores yet. */
export function roomStores({ user, rooms, tracks, ...rest }: StoresSource): RoomStores {
  const sourceOf = (room: string): StoreSource => ({
    ...rest,
    user: () => user() ?? "",
    state: () => rooms.get(room),
    status() {
      const phase = tracks.at(room)?.phase;
      if (phase === undefined) return user() === undefined ? "loading" : "outside";
      return phase === "resuming" ? "live" : phase;
    },
    head() {
      const track = tracks.at(room);
      return track?.phase === "live" || track?.phase === "resuming" ? [track.epoch, track.s] : undefined;
    },
  });
  const stores = new Map<string, FedStore>();
  let closed: HubError | undefined;
  return {
    get(room) {
      let fed = stores.get(room);
      if (fed === undefined) {
        fed = roomStore(room, sourceOf(room));
        stores.set(room, fed);
        if (closed !== undefined) fed.close(closed);
      }
      return fed.store;
    },
    of: (room) => stores.get(room),
    changed() {
      for (const fed of stores.values()) fed.changed();
    },
    close(error) {
      closed = error;
      for (const fed of stores.values()) fed.close(error);
    },
  };
}
