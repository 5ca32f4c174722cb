import type { ProjectedBatch } from "@connect-hub/projections";
import type { PipelineStep } from "./pipeline.ts";
import { arrayText, toPostgres } from "./valueText.ts";

/** Ends the transaction with a division by zero unless the marks that a batch goes by stand there. */
export function marksBefore({ lane, marks }: ProjectedBatch, schema: string): PipelineStep[] {
  const { before = [] } = marks ?? {};
  if (before.length === 0) return [];
  const text = `select 1 / (count(*) = $5::int8)::int from ${schema}.parked p
    join unnest($2::text[], $3::text[], $4::int8[]) as v(kind, id, from_n)
      on p.kind = v.kind and p.id = v.id and p.from_n = v.from_n
    where p.lane = $1`;
  const numbers = arrayText(before.map(({ from }) => String(from)));
  return [{ text, values: [lane, texts(before, "kind"), texts(before, "id"), numbers, String(before.length)] }];
}

/** The statements by which a batch parks subjects, or lets them go on. */
export function markStatements({ lane, marks }: ProjectedBatch, schema: string): PipelineStep[] {
  const steps: PipelineStep[] = [];
  if (marks !== undefined && marks.taken.length > 0) {
    const text = `delete from ${schema}.parked p using unnest($2::text[], $3::text[]) as v(kind, id)
      where p.lane = $1 and p.kind = v.kind and p.id = v.id`;
    steps.push({ text, values: [lane, texts(marks.taken, "kind"), texts(marks.taken, "id")] });
  }
  if (marks !== undefined && marks.set.length > 0) {
    const text = `insert into ${schema}.parked (lane, kind, id, from_n, type, reason, retry)
      select $1, * from unnest($2::text[], $3::text[], $4::int8[], $5::text[], $6::text[], $7::bool[])
      on conflict (lane, kind, id) do update set
        from_n = excluded.from_n, type = excluded.type, reason = excluded.reason, retry = excluded.retry`;
    const { set } = marks;
    const numbers = arrayText(set.map(({ from }) => String(from)));
    const retries = arrayText(set.map(({ retry }) => String(retry === true)));
    const [kinds, ids, types, reasons] = [
      texts(set, "kind"),
      texts(set, "id"),
      texts(set, "type"),
      texts(set, "reason"),
    ];
    steps.push({ text, values: [lane, kinds, ids, numbers, types, reasons, retries] });
  }
  return steps;
}

function texts<K extends string>(all: readonly { readonly [key in K]: string }[], key: K): string {
  return arrayText(all.map((one) => toPostgres(one[key], "text")));
}
