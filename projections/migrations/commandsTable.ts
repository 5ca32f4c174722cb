/** The statement that makes the table `name` of the commands done in a context's lanes, in the schema `into`. */
export function commandsTable(into: string, name: string): string {
  return `create table ${into}.${name} (
      lane text collate "C",
      actor text collate "C",
      id text collate "C",
      kind text,
      digest text,
      result jsonb,
      n bigint,
      primary key (lane, actor, id)
    )`;
}
