-- What the model calls of a trial cost.

-- { legacy, candidate: { inputTokens, outputTokens, usd | null }, spentUsd }, as JSON; null when neither
-- side asked a model. A shared answer costs both sides, and was paid once: `spentUsd` is what this
-- trial cost beside the answer.
alter table twintrack.trials add column usage jsonb;

-- Sealed bytes have no pattern that Postgres could compress: it need not try.
alter table twintrack.runs alter column payload set storage external;
