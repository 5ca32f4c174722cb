import { limits } from "@connect-hub/domain/values";
import type { Cursor, RoomEvent, RoomState } from "@connect-hub/protocol";
import { type ChatEvent, chatEvent } from "./chatEvent.ts";
import type { Client } from "./client.ts";
import { echoes } from "./echoes.ts";
import type { HubError } from "./hubError.ts";
import { messageFold } from "./messageFold.ts";
import { roomAudience } from "./roomAudience.ts";
import { allMembers, membersAfter } from "./roomMembers.ts";
import type { Member, RoomStatus, RoomStore, RoomView } from "./roomView.ts";

/** What a store is fed from. */
export interface StoreSource extends Pick<Client, "command" | "query"> {
  user(): string;
  state(): RoomState | undefined;
  status(): RoomStatus;
  /** How far the room was delivered; undefined unless it is live. */
  head(): Cursor | undefined;
  /** A key for a new command. */
  newKey(): string;
  /** How many of the newest events are loaded at first. */
  readonly history: number;
}

/** A store with its inlet. */
export interface FedStore {
  readonly store: RoomStore;
  /** Events that follow those before. */
  add(events: readonly RoomEvent[]): void;
  /** Forget everything: the newest events are loaded anew. */
  begin(): void;
  /** The room's state or status may be another. */
  changed(): void;
  close(error: HubError): void;
}

/** So many events are kept when nobody is subscribed. */
const keptUnseen = 1_000;
const pageRetryMs = 100;

/** The store of one room. What was delivered before it was made is loaded by paging. */
export function roomStore(room: string, source: StoreSource): FedStore {
  let events: ChatEvent[] = [];
  let fold = messageFold();
  /** The last event, or that from which on they come; undefined while that is not known. */
  let head: number | undefined;
  /** Whether the first event that the user may see is among `events`. */
  let isWhole = false;
  /** Goes up when everything is forgotten. */
  let generation = 0;
  let view: RoomView | undefined;
  let members: readonly Member[] | undefined;
  const names = new Map<string, string | null>();
  let paging: Promise<boolean> | undefined;
  let closed: HubError | undefined;
  const waiting: { resolve(): void; reject(error: HubError): void }[] = [];
  const audience = roomAudience(room);
  const echo = echoes({
    user: source.user,
    send: ({ text, files = [] }, key) => {
      const ids = files.map(({ file }) => file);
      const data = { room, ...(text !== undefined && { text }), ...(ids.length > 0 && { files: ids }) };
      return source.command("postMessage", data, { key });
    },
    changed,
  });

  function changed(): void {
    view = undefined;
    audience.show(current);
  }

  function current(): RoomView {
    view ??= make();
    return view;
  }

  function make(): RoomView {
    const state = source.state();
    return {
      id: room,
      status: source.status(),
      name: nameAfter(events) ?? state?.name,
      state,
      events: [...events],
      messages: echo.over(fold.messages(), events, head ?? 0),
      hasOlder: hasOlder(),
      members: members && membersAfter(members, events, (id) => names.get(id) ?? null),
    };
  }

  const lowest = (): number => events[0]?.s ?? (head ?? 0) + 1;
  const hasOlder = (): boolean => {
    const from = source.state()?.from;
    return head !== undefined && from !== undefined && !isWhole && lowest() > from;
  };

  function refold(): void {
    fold = messageFold();
    for (const event of events) fold.add(event);
  }

  /** Once the room is live, what was delivered before this store was there is paged. */
  function look(): void {
    head ??= source.head()?.[1];
    if (head !== undefined) for (const { resolve } of waiting.splice(0)) resolve();
    const isEmpty = head !== undefined && events.length === 0 && source.history > 0;
    if (isEmpty && hasOlder() && paging === undefined) store.older(source.history).catch(() => undefined);
  }

  async function page(limit: number): Promise<boolean> {
    await store.loaded();
    const began = generation;
    while (hasOlder()) {
      const before = lowest();
      const answer = await source.query("history", { room, before, limit: Math.min(limit, limits.historyPage) });
      if (generation !== began || answer.epoch !== source.head()?.[0]) break;
      // Another edge may not have heard yet of what is here.
      if (answer.head < before - 1) await new Promise((resolve) => setTimeout(resolve, pageRetryMs));
      else {
        events = [...answer.events.map(chatEvent), ...events];
        isWhole = !answer.more;
        refold();
        changed();
        break;
      }
    }
    return hasOlder();
  }

  async function nameNewcomers(): Promise<void> {
    const known = new Set([...names.keys(), ...(members ?? []).map(({ id }) => id)]);
    const ids = (current().members ?? []).map(({ id }) => id).filter((id) => !known.has(id));
    for (const id of ids) names.set(id, null);
    for (let at = 0; at < ids.length; at += limits.historyPage) {
      const { people } = await source.query("people", { ids: ids.slice(at, at + limits.historyPage) });
      for (const { id, name } of people) names.set(id, name);
    }
    if (ids.length > 0) changed();
  }

  const store: RoomStore = {
    id: room,
    get view() {
      return current();
    },
    subscribe: audience.subscribe,
    events: audience.events,
    loaded() {
      if (closed !== undefined) return Promise.reject(closed);
      if (head !== undefined) return Promise.resolve();
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    older(limit = 50) {
      paging ??= page(limit).finally(() => {
        paging = undefined;
      });
      return paging;
    },
    async members() {
      members = await allMembers(source.query, room);
      changed();
      await nameNewcomers();
      return current().members ?? [];
    },
    post: (post, { key = source.newKey() } = {}) =>
      echo.add(typeof post === "string" ? { text: post } : post, key, head ?? 0),
    async edit(s, text) {
      await source.command("editMessage", { room, message: s, text });
    },
    async delete(s) {
      await source.command("deleteMessage", { room, message: s });
    },
  };

  const fed: FedStore = {
    store,
    add(added) {
      const next = added.map(chatEvent);
      events.push(...next);
      for (const event of next) fold.add(event);
      head = next.at(-1)?.s ?? head;
      if (!audience.hasListeners() && events.length > 2 * keptUnseen) {
        events = events.slice(-keptUnseen);
        isWhole = false;
        refold();
      }
      audience.push(next);
      changed();
      if (members !== undefined) nameNewcomers().catch(() => undefined);
    },
    begin() {
      generation++;
      const hadAny = head !== undefined;
      events = [];
      refold();
      head = undefined;
      isWhole = false;
      if (hadAny) audience.reset();
      changed();
    },
    changed() {
      look();
      changed();
    },
    close(error) {
      closed = error;
      for (const { reject } of waiting.splice(0)) reject(error);
      audience.end();
      changed();
    },
  };
  look();
  return fed;
}

function nameAfter(events: readonly ChatEvent[]): string | undefined {
  return events.findLast((event) => event.t === "roomRenamed")?.d.name;
}
