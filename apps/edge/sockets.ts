import type { ErrorName } from "@connect-hub/protocol";
import type { Connection } from "./connection.ts";

/** The sockets that are open here. */
export interface Sockets {
  /** How many of them are signed in. */
  readonly count: number;
  opened(connection: Connection): void;
  /** It is its user's from now on. */
  add(connection: Connection): void;
  remove(connection: Connection): void;
  ofUser(user: string): readonly Connection[];
  /** Ends the sockets of one session. */
  endSession(session: string, name: ErrorName): void;
  all(): readonly Connection[];
}

export function sockets(): Sockets {
  const byUser = new Map<string, readonly Connection[]>();
  const bySession = new Map<string, readonly Connection[]>();
  const everyone = new Set<Connection>();
  const signedIn = new Set<Connection>();
  return {
    get count() {
      return signedIn.size;
    },
    opened: (connection) => void everyone.add(connection),
    add(connection) {
      signedIn.add(connection);
      put(byUser, connection.who?.user ?? "", connection);
      put(bySession, connection.who?.session ?? "", connection);
    },
    remove(connection) {
      everyone.delete(connection);
      signedIn.delete(connection);
      take(byUser, connection.who?.user ?? "", connection);
      take(bySession, connection.who?.session ?? "", connection);
    },
    ofUser: (user) => byUser.get(user) ?? [],
    endSession(session, name) {
      for (const connection of bySession.get(session) ?? []) connection.end(name);
    },
    all: () => [...everyone],
  };
}

/** Most have one: an array of one takes a third of the memory of a set. */
function put(lists: Map<string, readonly Connection[]>, key: string, connection: Connection): void {
  lists.set(key, [...(lists.get(key) ?? []), connection]);
}

function take(lists: Map<string, readonly Connection[]>, key: string, connection: Connection): void {
  const rest = lists.get(key)?.filter((one) => one !== connection);
  if (rest === undefined) return;
  if (rest.length === 0) lists.delete(key);
  else lists.set(key, rest);
}
