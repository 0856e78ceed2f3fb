/**
 * Judges the stored trials of a flow once more, by today's rules and extractors. Nothing runs: both
 * runs of each trial are in the store. The work is done in a shadow process of its own, which reads
 * the configuration as it is now, so that answers do not wait for it.
 */
import type { ResolvedConfig } from "./config.ts";
import { openShadowHost, type ShadowHost } from "./shadow-host.ts";
import type { Database } from "./store/database.ts";
import { replaceJudgements, type StoredTrial, storedTrials } from "./store/stored-trials.ts";

export interface Rejudged {
  /** Trials that were judged once more. */
  trials: number;
  /** Those whose verdict is another one now. */
  changed: number;
  /** Trials of which too little was kept; they stay as they were judged. */
  skipped: number;
}

const PAGE = 100;
const LIMIT_MS = 60_000;

export async function rejudgeFlow(
  db: Database,
  config: ResolvedConfig,
  flow: string,
): Promise<Rejudged> {
  const host = openShadowHost(config);
  const total: Rejudged = { trials: 0, changed: 0, skipped: 0 };
  try {
    let afterId = "";
    for (;;) {
      const page = await storedTrials(db, flow, afterId, PAGE);
      if (page.length === 0) return total;
      await rejudgePage(db, host, page, total);
      afterId = page.at(-1)?.id ?? afterId;
    }
  } finally {
    await host.close();
  }
}

async function rejudgePage(
  db: Database,
  host: ShadowHost,
  page: readonly StoredTrial[],
  total: Rejudged,
): Promise<void> {
  const judgements = await Promise.all(page.map((trial) => host.rejudge(trial, LIMIT_MS)));
  const judged = judgements.flatMap((judgement, index) => {
    const id = page[index]?.id;
    return judgement && id !== undefined ? [{ id, ...judgement }] : [];
  });
  total.trials += judged.length;
  total.skipped += page.length - judged.length;
  total.changed += await replaceJudgements(db, judged);
}
