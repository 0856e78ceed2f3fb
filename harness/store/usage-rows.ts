/** What the model calls of both sides cost: written with a judgement, summed up for the report. */
import type { Cost } from "../../core/price.ts";
import type { FlowRow } from "../report/rows.ts";
import { COUNTED } from "./counted.ts";
import { type Database, type Query, valuesList } from "./database.ts";

export interface Usage {
  legacy: Cost;
  candidate: Cost;
  /** Paid beside the answer. */
  spentUsd: number;
}

export async function noteUsage(
  query: Query,
  judged: readonly { id: string; usage?: Usage | undefined }[],
): Promise<void> {
  const rows = judged.flatMap(({ id, usage }) => (usage ? [[id, JSON.stringify(usage)]] : []));
  if (rows.length === 0) return;
  await query(
    `update twintrack.trials t set usage = u.usage
     from (values ${valuesList(rows.length, 2, ["", "::jsonb"])}) as u (id, usage) where t.id = u.id`,
    rows.flat(),
  );
}

/** Sums over trials whose cost is known on both sides; nothing when there is none. */
export async function costRow(
  db: Database,
  flow: string,
): Promise<Pick<FlowRow, "costUsd" | "tokens" | "spentUsd">> {
  const [row] = await db.query<{
    asked: number;
    n: number;
    legacy: number;
    candidate: number;
    legacySquares: number;
    candidateSquares: number;
    products: number;
    legacyTokens: number;
    candidateTokens: number;
    spentUsd: number;
  }>(
    `with ${COUNTED},
     costs as (
       select (usage->'legacy'->>'usd')::double precision as l, (usage->'candidate'->>'usd')::double precision as c,
         (usage->'legacy'->>'inputTokens')::double precision + (usage->'legacy'->>'outputTokens')::double precision as lt,
         (usage->'candidate'->>'inputTokens')::double precision + (usage->'candidate'->>'outputTokens')::double precision as ct,
         (usage->>'spentUsd')::double precision as spent,
         verdict in ('match', 'ignored', 'mismatch') as answered
       from counted where usage is not null),
     known as (select l, c from costs where answered and l is not null and c is not null)
     select (select count(*) from costs)::bigint as asked, count(*)::bigint as n,
       coalesce(sum(l), 0) as legacy, coalesce(sum(c), 0) as candidate, coalesce(sum(l * l), 0) as "legacySquares",
       coalesce(sum(c * c), 0) as "candidateSquares", coalesce(sum(l * c), 0) as products,
       (select coalesce(sum(lt), 0) from costs where answered) as "legacyTokens",
       (select coalesce(sum(ct), 0) from costs where answered) as "candidateTokens",
       (select coalesce(sum(spent), 0) from costs) as "spentUsd"
     from known`,
    [flow],
  );
  if (!row || row.asked === 0) return {};
  const { n, legacy, candidate, legacySquares, candidateSquares, products } = row;
  const pairs = { n, legacySquares, candidateSquares, products };
  return {
    tokens: { legacy: row.legacyTokens, candidate: row.candidateTokens },
    spentUsd: row.spentUsd,
    ...(n > 0 && { costUsd: { legacy, candidate, pairs } }),
  };
}
