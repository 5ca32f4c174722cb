import type { Schema } from "@connect-hub/domain/kernel";
import { generationSchema } from "./generationTables.ts";

/** A column of a table or view in the database. */
export interface CatalogColumn {
  readonly schema: string;
  readonly relation: string;
  readonly name: string;
  readonly type: string;
}

/** Reads the columns of the public views of a schema, and of the tables of one of its generations, in their order. */
export function catalogQuery(schema: Schema, generation: number): string {
  return `select n.nspname as schema, c.relname as relation, a.attname as name, format_type(a.atttypid, a.atttypmod) as type
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where ((n.nspname = '${schema}' and c.relkind = 'v') or (n.nspname = '${generationSchema(schema, generation)}' and c.relkind = 'r'))
      and a.attnum > 0 and not a.attisdropped
    order by n.nspname, c.relname, a.attnum`;
}

/**
 * The statements that make the public names of a schema views of a generation's tables. Columns are named one by one, so that
 * a reader's statement means the same before and after; a view stays the same object as long as its columns do.
 */
export function servedViews(schema: Schema, generation: number, catalog: readonly CatalogColumn[]): string[] {
  const views = columnsByRelation(catalog, schema);
  const tables = columnsByRelation(catalog, generationSchema(schema, generation));
  const drops = [...views]
    .filter(([view, columns]) => signature(columns) !== signature(tables.get(view) ?? []))
    .map(([view]) => `drop view ${schema}.${view}`);
  const makes = [...tables].map(([table, columns]) => {
    const names = columns.map(({ name }) => `"${name}"`).join(", ");
    return `create or replace view ${schema}.${table} as select ${names} from ${generationSchema(schema, generation)}.${table}`;
  });
  return [...drops, ...makes];
}

function columnsByRelation(catalog: readonly CatalogColumn[], schema: string): Map<string, CatalogColumn[]> {
  const byRelation = new Map<string, CatalogColumn[]>();
  for (const column of catalog) {
    if (column.schema !== schema) continue;
    const same = byRelation.get(column.relation);
    if (same) same.push(column);
    else byRelation.set(column.relation, [column]);
  }
  return byRelation;
}

const signature = (columns: readonly CatalogColumn[]): string =>
  columns.map(({ name, type }) => `${name} ${type}`).join();
