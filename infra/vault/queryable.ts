/**
 * What the vault needs of a database; a pool of `pg` is one. Whatever it throws, the vault takes for "away": its
 * statements are fixed, so nothing else can be wrong with them.
 */
export interface Queryable {
  /** Runs one statement, or several without parameters as one transaction. */
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly object[] }>;
}
