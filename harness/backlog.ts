/** How many answered triggers wait to be judged, and whether more may. */
import { getHeapStatistics } from "node:v8";
import type { ResolvedConfig } from "./config.ts";
import { rarely } from "./rarely.ts";
import type { Spool } from "./spool.ts";
import type { Database } from "./store/database.ts";

const DEFAULT_MAX_OPEN = 10_000;

/** Of what may live long; beyond it a process is busy collecting garbage, and answers come first. */
const HEAP_SHARE = 0.85;
/** The part of V8's limit that only holds what is young: three semi-spaces of at most 64 MiB. */
const YOUNG_BYTES = 192 * 1024 * 1024;
const PRESSURE_CHECK_MS = 100;

function isShortOfMemory(): boolean {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used > Math.max(limit - YOUNG_BYTES, limit / 4) * HEAP_SHARE;
}

export interface Backlog {
  /** True when a further trial of this flow would wait longer than it is worth. */
  isFull(flow: string): boolean;
  /** Counts the open trials again. */
  refresh(db: Database): Promise<void>;
}

export function openBacklog(config: ResolvedConfig, spool: Spool): Backlog {
  let open = new Map<string, number>();
  const isShort = rarely(PRESSURE_CHECK_MS, isShortOfMemory);
  const limitOf = (flow: string) => config.flows[flow]?.shadow?.maxOpen ?? DEFAULT_MAX_OPEN;
  return {
    isFull: (flow) => spool.isFull() || (open.get(flow) ?? 0) >= limitOf(flow) || isShort(),
    async refresh(db) {
      const rows = await db.query<{ flow: string; count: number }>(
        "select flow, count(*)::integer as count from twintrack.trials where verdict is null group by flow",
      );
      open = new Map(rows.map(({ flow, count }) => [flow, count]));
    },
  };
}
