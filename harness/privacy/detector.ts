/**
 * Finds secrets and personal data in text by how they look.
 *
 * Each detector has needles that a text must hold before its pattern is tried, so that plain text
 * costs a few `includes`. Every repetition is bounded or begins where its characters begin, so that
 * no text takes more than time in proportion to its length. Where a kind has a checksum, it decides.
 */
import { isBasicCredential, isCardNumber, isIban } from "./checksum.ts";

/** A part of a text, and what it is. */
export interface Finding {
  kind: DetectorKind;
  start: number;
  end: number;
}

interface Detector {
  /** In lower case; the pattern is tried when the text holds one of them. */
  needles: readonly string[] | "digits";
  /** Its first group is the secret; without a group all of it is. */
  pattern: RegExp;
  isReal?: (found: string) => boolean;
}

/** A token of letters and digits behind a fixed beginning that no other word has. */
function prefixed(prefixes: readonly string[], rest: string): Detector {
  const start = prefixes.map((prefix) => prefix.replaceAll(/[.-]/g, "\\$&")).join("|");
  return {
    needles: prefixes.map((prefix) => prefix.toLowerCase()),
    pattern: new RegExp(`(?<![A-Za-z0-9])(?:${start})${rest}`, "g"),
  };
}

const NAMES =
  "api[_-]?key|api[_-]?secret|access[_-]?key|secret|token|passwd|password|passphrase|pwd|accountkey|sharedaccesssignature";

/** In the order in which they claim a text: of two findings that overlap the first names both. */
const DETECTORS = {
  private_key: {
    needles: ["private key"],
    // Without its end (a cut text) the rest of the text is the key.
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=:,.\s\\-]*)/g,
  },
  jwt: {
    needles: ["eyj"],
    pattern: /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}/g,
  },
  aws_access_key: prefixed(
    ["AKIA", "ASIA", "AROA", "AIDA", "AGPA", "ANPA"],
    "[A-Z0-9]{16}(?![A-Z0-9])",
  ),
  github_token: prefixed(
    ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
    "[A-Za-z0-9_]{22,255}",
  ),
  gitlab_token: prefixed(["glpat-", "gldt-", "glrt-"], "[\\w-]{20,255}"),
  slack_token: prefixed(
    ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
    "[A-Za-z0-9-]{10,255}",
  ),
  slack_webhook: prefixed(["hooks.slack.com/"], "[\\w/-]{20,255}"),
  stripe_key: prefixed(
    ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
    "[A-Za-z0-9+/=]{10,255}",
  ),
  anthropic_key: prefixed(["sk-ant-"], "[\\w-]{16,255}"),
  openai_key: prefixed(["sk-"], "(?=[\\w-]{0,255}\\d)[\\w-]{20,255}"),
  google_api_key: prefixed(["AIza"], "[\\w-]{35}"),
  google_oauth: prefixed(["ya29.", "GOCSPX-"], "[\\w-]{20,2048}"),
  npm_token: prefixed(["npm_"], "[A-Za-z0-9]{36}"),
  pypi_token: prefixed(["pypi-"], "[\\w-]{50,512}"),
  sendgrid_key: prefixed(["SG."], "[\\w-]{16,64}\\.[\\w-]{16,128}"),
  twilio_key: {
    needles: ["ac", "sk"],
    pattern: /(?<![A-Za-z0-9])(?:AC|SK)[0-9a-f]{32}(?![A-Za-z0-9])/g,
  },
  huggingface_token: prefixed(["hf_"], "[A-Za-z0-9]{30,64}"),
  digitalocean_token: prefixed(["dop_v1_", "doo_v1_", "dor_v1_"], "[0-9a-f]{64}"),
  shopify_token: prefixed(["shpat_", "shpca_", "shppa_", "shpss_"], "[0-9a-fA-F]{32}"),
  langsmith_key: prefixed(["lsv2_pt_", "lsv2_sk_"], "[0-9a-f]{32}_[0-9a-f]{10}"),
  telegram_token: { needles: [":aa"], pattern: /(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])/g },
  bearer: {
    needles: ["bearer"],
    pattern: /\bbearer\s{1,4}([\w.~+/-]{8,4096}={0,2})/gi,
    // "bearer certificates" are words.
    isReal: (found) => /\d/.test(found) || found.length >= 20,
  },
  basic_auth: {
    needles: ["basic"],
    pattern: /\bbasic\s{1,4}([A-Za-z0-9+/]{8,1024}={0,2})/gi,
    isReal: isBasicCredential,
  },
  cookie: { needles: ["cookie:"], pattern: /\bcookie:\s{0,4}([^\r\n"]{1,4096})/gi },
  url_password: { needles: ["://"], pattern: /:\/\/[^\s/:@"']{0,256}:([^\s/@"']{1,256})@/g },
  assignment: {
    needles: ["key", "secret", "token", "passw", "passphrase", "pwd", "signature"],
    pattern: new RegExp(
      `(?<!⟨)(?:${NAMES})["'\\\\]{0,4}\\s{0,4}[:=]\\s{0,4}["'\\\\]{0,4}(?![0-9a-f]{16}⟩)([^\\s"'&;,}⟨\\\\]{4,512})`,
      "gi",
    ),
    isReal: (found) => !/^(?:null|true|false|none|undefined|string|number)$/i.test(found),
  },
  iban: {
    needles: "digits",
    pattern:
      /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g,
    isReal: isIban,
  },
  card: {
    needles: "digits",
    pattern: /(?<![\d.+])[3-6](?:[ -]?\d){12,18}(?!\d)/g,
    isReal: isCardNumber,
  },
  ssn: {
    needles: "digits",
    pattern: /(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g,
  },
  email: {
    needles: ["@"],
    pattern:
      /(?<![\p{L}\p{N}_.+%'-])[\p{L}\p{N}_.+%'-]{1,128}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}]{2,24}/gu,
  },
  phone: {
    needles: "digits",
    pattern:
      /(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){7,14}(?!\d)|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])/g,
  },
} as const satisfies Record<string, Detector>;

export type DetectorKind = keyof typeof DETECTORS;
export const DETECTOR_KINDS = Object.keys(DETECTORS) as [DetectorKind, ...DetectorKind[]];

/** Every finding in a text, from left to right, none overlapping. */
export function findSecrets(text: string, kinds: readonly DetectorKind[]): Finding[] {
  const hasWords = WORDS.test(text);
  const hasDigits = DIGITS.test(text);
  if (!hasWords && !hasDigits) return [];
  const lower = hasWords ? text.toLowerCase() : "";
  const found = kinds.flatMap((kind) => {
    const { needles, pattern, isReal }: Detector = DETECTORS[kind];
    const isWorthIt =
      needles === "digits" ? hasDigits : needles.some((needle) => lower.includes(needle));
    return isWorthIt ? matchesOf(kind, pattern, text, isReal) : [];
  });
  return found.length < 2 ? found : disjoint(found);
}

/** Whatever has needles has one of these as well; most sentences have none of them. */
const WORDS = /[@:=]|\S{12}|-----|basic|bearer/i;
const DIGITS = /\d{2}/;

function matchesOf(
  kind: DetectorKind,
  pattern: RegExp,
  text: string,
  isReal: Detector["isReal"],
): Finding[] {
  const found: Finding[] = [];
  const search = new RegExp(pattern);
  for (let match = search.exec(text); match; match = search.exec(text)) {
    const secret = realPart(match[1] ?? match[0], isReal);
    if (secret === undefined) {
      search.lastIndex = match.index + 1; // A secret may begin within what only looked like one.
      continue;
    }
    // A group is the last thing in its pattern, or stands before one character.
    const start = match.index + match[0].lastIndexOf(match[1] ?? match[0]);
    found.push({ kind, start, end: start + secret.length });
    search.lastIndex = start + secret.length;
  }
  return found;
}

/** Digits that follow a number after a blank look like a part of it: without its last groups it may hold. */
function realPart(found: string, isReal: Detector["isReal"]): string | undefined {
  if (!isReal) return found;
  for (let part = found; part !== ""; part = part.slice(0, lastGap(part)))
    if (isReal(part)) return part;
  return undefined;
}

function lastGap(text: string): number {
  return Math.max(text.lastIndexOf(" "), text.lastIndexOf("-"), 0);
}

/** What overlaps becomes one finding, so that no rest of a secret stays. */
function disjoint(found: readonly Finding[]): Finding[] {
  const rank = (one: Finding) => DETECTOR_KINDS.indexOf(one.kind);
  const sorted = [...found].sort((a, b) => a.start - b.start || rank(a) - rank(b));
  const merged: Finding[] = [];
  for (const next of sorted) {
    const last = merged.at(-1);
    if (!last || next.start >= last.end) merged.push({ ...next });
    else {
      last.end = Math.max(last.end, next.end);
      if (rank(next) < rank(last)) last.kind = next.kind;
    }
  }
  return merged;
}
