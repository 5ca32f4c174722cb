/** Something that a service keeps, under a key of its own. */
export interface StateEntry {
  readonly key: string;
  /** JSON. */
  readonly value: string;
  /** Goes up with each change. */
  readonly revision: number;
}

/**
 * Where a service keeps how far it is. Keys are words by dots, of letters, digits, `-` and `_`. All throw `LogUnavailable` when it can't
 * be reached; it is not known then whether what was asked was done.
 */
export interface ServiceState {
  /** All entries whose keys begin with `prefix` and a dot. */
  list(prefix: string): Promise<readonly StateEntry[]>;
  /** Writes if the entry is at `revision` (0: if there is none); its new revision, or undefined if it was not. */
  put(key: string, value: string, revision: number): Promise<number | undefined>;
  /** Takes the entry away, whatever it is. */
  drop(key: string): Promise<void>;
}

/** The same where it is stored, a piece at a time. */
export interface StoredState extends Omit<ServiceState, "list"> {
  /** The first entries under `prefix` whose keys come after `after`, in their order, and whether there are more. */
  page(prefix: string, after: string): Promise<StatePage>;
}

export interface StatePage {
  readonly entries: readonly StateEntry[];
  readonly more: boolean;
}
