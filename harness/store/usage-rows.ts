/** What the model calls of both sides cost, and which versions answered them: written with a judgement. */
import type { ModelVersion } from "../../core/model.ts";
import type { Cost } from "../../core/price.ts";
import type { FlowRow } from "../report/rows.ts";
import { TALLIED } from "./counted.ts";
import type { Database } from "./database.ts";

/** Of one side. */
interface SideUsage extends Cost {
  models: ModelVersion[];
}

export interface Usage {
  legacy: SideUsage;
  candidate: SideUsage;
  /** Paid beside the answer. */
  spentUsd: number;
}

/** Columns of a judged trial: none for a flow that asks no model. */
export function usageColumns(usage: Usage | undefined): object {
  if (!usage) return {};
  const { legacy, candidate, spentUsd } = usage;
  const tokens = ({ inputTokens, outputTokens }: Cost) => inputTokens + outputTokens;
  const isTold = legacy.models.length + candidate.models.length > 0;
  return {
    legacy_tokens: tokens(legacy),
    candidate_tokens: tokens(candidate),
    legacy_usd: legacy.usd,
    candidate_usd: candidate.usd,
    spent_usd: spentUsd,
    models: isTold ? { legacy: legacy.models, candidate: candidate.models } : null,
  };
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
    `with ${TALLIED},
     known as (select *, verdict in ('match', 'ignored', 'mismatch') as answered from tallied where asked > 0)
     select coalesce(sum(asked), 0)::bigint as asked,
       coalesce(sum(priced) filter (where answered), 0)::bigint as n,
       coalesce(sum(legacy_usd) filter (where answered), 0)::double precision as legacy,
       coalesce(sum(candidate_usd) filter (where answered), 0)::double precision as candidate,
       coalesce(sum(legacy_squares) filter (where answered), 0)::double precision as "legacySquares",
       coalesce(sum(candidate_squares) filter (where answered), 0)::double precision as "candidateSquares",
       coalesce(sum(products) filter (where answered), 0)::double precision as products,
       coalesce(sum(legacy_tokens) filter (where answered), 0)::double precision as "legacyTokens",
       coalesce(sum(candidate_tokens) filter (where answered), 0)::double precision as "candidateTokens",
       coalesce(sum(spent_usd), 0)::double precision as "spentUsd"
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
