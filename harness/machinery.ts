/** What the loops work with: the database, and who carries; each is opened once more when it was lost. */
import { type Carrier, carrierPlan, openCarrier, startCarrier } from "./carrier.ts";
import type { ResolvedConfig } from "./config.ts";
import type { Gap } from "./frame.ts";
import { privacyOf } from "./privacy/privacy.ts";
import { shadowTimeoutsMs } from "./shadow.ts";
import { openShadowHost } from "./shadow-host.ts";
import type { Spool } from "./spool.ts";
import type { StageBook } from "./stage.ts";
import type { Database } from "./store/database.ts";
import { joinDatabase, openDatabase, secondConnection } from "./store/open.ts";

export interface Machinery {
  db: Database;
  /** For reports and commands: a slow question must not hold up what follows the stages. */
  desk: Database;
  carrier(): Promise<Carrier>;
}

export interface MachineryParts {
  config: ResolvedConfig;
  stages: StageBook;
  /** Where is shipped and judged: beside whoever answers, or in the same thread. */
  inThread: boolean;
}

/** @param use gets the carrier of the moment */
export async function openMachinery(
  { config, stages, inThread }: MachineryParts,
  use: (carrier: Carrier) => void,
): Promise<Machinery> {
  const db = await openDatabase(config);
  const carrier = reopened(async (onLost) => {
    const plan = inThread ? carrierPlan(config, db) : undefined;
    const opened = await (plan ? startCarrier(plan, onLost) : carrierHere(config, db));
    use(opened);
    return opened;
  });
  try {
    // Who is ready knows the stages.
    await stages.refresh(db);
    await carrier();
    return { db, desk: secondConnection(db, config), carrier };
  } catch (error) {
    await db.close();
    throw error;
  }
}

function carrierHere(config: ResolvedConfig, db: Database): Promise<Carrier> {
  return openCarrier({
    db: joinDatabase(db.way()),
    host: openShadowHost(config),
    privacy: privacyOf(config),
    timeoutsMs: shadowTimeoutsMs(config),
  });
}

/** Opened when it is first needed, and again after it failed or was lost. */
export function reopened<T>(open: (onLost: () => void) => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined;
  return () => {
    if (current) return current;
    const forget = () => {
      if (current === opening) current = undefined;
    };
    const opening = open(forget);
    current = opening;
    opening.catch(forget);
    return opening;
  };
}

/** Hands over what the spool has; what its memory had is kept here until it is stored, as a thread that ends has lost it. */
export function loader(spool: Spool): (carrier: Carrier) => Promise<number> {
  let taken: { memory: Uint8Array; gaps: Gap[] } | undefined;
  let holder: Carrier | undefined;
  return async (carrier) => {
    taken ??= { memory: Buffer.concat(spool.takeMemory()), gaps: spool.takeGaps() };
    const handed = holder === carrier ? NOTHING : taken;
    holder = carrier;
    const shipped = await carrier.ship({ files: spool.files(), ...handed });
    taken = undefined;
    holder = undefined;
    return shipped;
  };
}

const NOTHING = { memory: new Uint8Array(), gaps: [] };
