/** The privacy of one configuration: its vault, its mask, and the digests by which a person is found. */
import type { ResolvedConfig } from "../config.ts";
import { secretOf } from "../secret.ts";
import { type KeyRing, openKeyRing, shortDigest } from "./key-ring.ts";
import { type Mask, openMask } from "./mask.ts";
import { openVault, plainVault, type Vault } from "./vault.ts";

export interface Privacy {
  readonly vault: Vault;
  readonly mask: Mask;
  /**
   * Reads the key now, or makes it: the live path must not find out that there is none.
   *
   * @throws {TwintrackError} `CONFIG_INVALID`
   */
  prepare(): void;
  /** Keyed digest of whom a trial is about, under the current key. */
  subject(flow: string, subject: string): string;
  /** The same under every key that there is: rows may be older than the current one. */
  subjects(flow: string, subject: string): string[];
}

const opened = new WeakMap<ResolvedConfig, Privacy>();

/** Opened once for each configuration; a key is made when the first thing is sealed or masked. */
export function privacyOf(config: ResolvedConfig): Privacy {
  const known = opened.get(config);
  if (known) return known;
  const privacy = openPrivacy(config);
  opened.set(config, privacy);
  return privacy;
}

type Place = Pick<ResolvedConfig, "dataDir" | "privacy">;

export function openPrivacy({ dataDir, privacy }: Place, env = process.env): Privacy {
  let ring: KeyRing | undefined;
  const keys = () => {
    ring ??= openKeyRing(secretOf("TWINTRACK_KEY", env), dataDir);
    return ring;
  };
  const digest = (key: KeyRing[number], flow: string, subject: string) =>
    shortDigest(key, "subject", `${flow}\0${subject}`);
  return {
    vault: privacy.seal === false ? plainVault(keys) : openVault(keys),
    mask: openMask(privacy.mask, () => keys()[0]),
    prepare() {
      if (privacy.seal !== false || privacy.mask !== false) keys();
    },
    subject: (flow, subject) => digest(keys()[0], flow, subject),
    subjects: (flow, subject) => keys().map((key) => digest(key, flow, subject)),
  };
}

/** What a payload's seal is bound to. */
export function runPlace(trialId: string, side: "legacy" | "candidate" | "noise"): string {
  return `${trialId}/${side}`;
}

export function tracePlace(trialId: string): string {
  return `${trialId}/trace`;
}
