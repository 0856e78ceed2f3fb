/**
 * Secrets that do not exist, of every kind that is looked for, and the search for their bytes.
 *
 * A canary that is found anywhere outside the caller's own hands has leaked; one that is cut still
 * shows its beginning or its end.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Canary {
  kind: string;
  secret: string;
  /** How it stands in a sentence, so that what surrounds it is as in real logs. */
  text: string;
}

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const DIGITS = "0123456789";
const ALNUM = `${LOWER}${LOWER.toUpperCase()}${DIGITS}`;
const HEX = `${DIGITS}abcdef`;

type Draw = (alphabet: string, length: number) => string;

const KINDS: Record<string, (draw: Draw) => string | { secret: string; text: string }> = {
  private_key: (draw) =>
    `-----BEGIN RSA PRIVATE KEY-----\n${draw(ALNUM, 64)}\n${draw(ALNUM, 64)}\n-----END RSA PRIVATE KEY-----`,
  jwt: (draw) => `eyJ${draw(ALNUM, 30)}.eyJ${draw(ALNUM, 40)}.${draw(ALNUM, 43)}`,
  aws_access_key: (draw) => `AKIA${draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)}`,
  aws_secret: (draw) => labelled("aws_secret_access_key = ", draw(ALNUM, 40)),
  github_token: (draw) => `ghp_${draw(ALNUM, 36)}`,
  github_fine: (draw) => `github_pat_${draw(ALNUM, 22)}_${draw(ALNUM, 59)}`,
  gitlab_token: (draw) => `glpat-${draw(ALNUM, 20)}`,
  slack_token: (draw) => `xoxb-${draw(DIGITS, 12)}-${draw(ALNUM, 24)}`,
  slack_webhook: (draw) =>
    `https://hooks.slack.com/services/T${draw(HEX, 8)}/B${draw(HEX, 8)}/${draw(ALNUM, 24)}`,
  stripe_key: (draw) => `sk_live_${draw(ALNUM, 24)}`,
  openai_key: (draw) => `sk-proj-7${draw(ALNUM, 47)}`,
  anthropic_key: (draw) => `sk-ant-api03-${draw(ALNUM, 60)}`,
  google_api_key: (draw) => `AIza${draw(ALNUM, 35)}`,
  google_oauth: (draw) => `ya29.${draw(ALNUM, 60)}`,
  npm_token: (draw) => `npm_${draw(ALNUM, 36)}`,
  pypi_token: (draw) => `pypi-AgEI${draw(ALNUM, 60)}`,
  sendgrid_key: (draw) => `SG.${draw(ALNUM, 22)}.${draw(ALNUM, 43)}`,
  twilio_key: (draw) => `SK${draw(HEX, 32)}`,
  huggingface_token: (draw) => `hf_${draw(ALNUM, 34)}`,
  langsmith_key: (draw) => `lsv2_pt_${draw(HEX, 32)}_${draw(HEX, 10)}`,
  bearer: (draw) => labelled("Authorization: Bearer ", `7${draw(ALNUM, 40)}`),
  basic_auth: (draw) =>
    labelled(
      "Authorization: Basic ",
      Buffer.from(`${draw(LOWER, 8)}:${draw(ALNUM, 12)}`).toString("base64"),
    ),
  url_password: (draw) => inside("postgres://app:", draw(ALNUM, 20), "@db.internal/app"),
  connection_string: (draw) => labelled("Server=db;User Id=app;Password=", draw(ALNUM, 20)),
  json_password: (draw) => inside('{"password": "', draw(ALNUM, 18), '"}'),
  cookie: (draw) => labelled("Set-Cookie: session=", draw(ALNUM, 32)),
  iban: (draw) => iban("DE", draw(DIGITS, 18)),
  card: (draw) => card(`4${draw(DIGITS, 14)}`),
  amex: (draw) => card(`37${draw(DIGITS, 12)}`),
  ssn: (draw) => `${pick(draw, 1, 665)}-${pick(draw, 1, 99)}-${draw("123456789", 4)}`,
  email: (draw) => `${draw(LOWER, 10)}.${draw(LOWER, 6)}@${draw(LOWER, 9)}.example`,
  phone: (draw) => `+49${draw("123456789", 1)}${draw(DIGITS, 10)}`,
};

export const CANARY_KINDS = Object.keys(KINDS);

function labelled(label: string, secret: string) {
  return { secret, text: `${label}${secret}` };
}

function inside(before: string, secret: string, after: string) {
  return { secret, text: `${before}${secret}${after}` };
}

/** A number of fixed width without leading surprises. */
function pick(draw: Draw, least: number, most: number): string {
  const width = String(most).length;
  const number = least + (Number(draw(DIGITS, 6)) % (most - least + 1));
  return String(number).padStart(width, "0");
}

function card(digits: string): string {
  for (let check = 0; check < 10; check++)
    if (luhn(`${digits}${check}`)) return `${digits}${check}`;
  throw new Error("Every number has a check digit");
}

function luhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

function iban(country: string, account: string): string {
  const letters = [...country].map((letter) => String(letter.charCodeAt(0) - 55)).join("");
  const check = 98n - (BigInt(`${account}${letters}00`) % 97n);
  return `${country}${String(check).padStart(2, "0")}${account}`;
}

/** The same canaries for the same seed, each kind as often as the others. */
export function canaries(count: number, seed: number): Canary[] {
  let state = seed;
  // Numbers enough for a test, from one multiplication (Park and Miller).
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const draw: Draw = (alphabet, length) =>
    Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
  return Array.from({ length: count }, (_, index) => {
    const kind = CANARY_KINDS[index % CANARY_KINDS.length] as string;
    const made = KINDS[kind]?.(draw) ?? "";
    return typeof made === "string" ? { kind, secret: made, text: made } : { kind, ...made };
  });
}

const WINDOW = 9;
/** Durations and digests are full of digits: nine of them are met by chance once in a hundred runs. */
const WIDE_WINDOW = 11;
const DIGITS_ONLY = /^[\da-f]+$/;

/** Finds canaries in bytes, whole ones and cut ones. */
export function searchFor(hidden: readonly Canary[]): (bytes: Uint8Array | string) => Canary[] {
  const byPiece = new Map<string, Canary>();
  const piece = (wide: string, narrow: string) => (DIGITS_ONLY.test(narrow) ? wide : narrow);
  for (const canary of hidden) {
    const bare = pieceable(canary.secret);
    byPiece.set(piece(bare.slice(0, WIDE_WINDOW), bare.slice(0, WINDOW)), canary);
    byPiece.set(piece(bare.slice(-WIDE_WINDOW), bare.slice(-WINDOW)), canary);
  }
  return (bytes) => {
    const text = typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
    const found = new Set<Canary>();
    for (const width of [WINDOW, WIDE_WINDOW]) {
      for (let at = 0; at + width <= text.length; at++) {
        const canary = byPiece.get(text.slice(at, at + width));
        if (canary) found.add(canary);
      }
    }
    return [...found];
  };
}

/** What all secrets of a kind have in common tells nothing: the head and foot of a key, a prefix. */
function pieceable(secret: string): string {
  return secret
    .replace(/^-----BEGIN RSA PRIVATE KEY-----\n|\n-----END RSA PRIVATE KEY-----$/g, "")
    .replace(
      /^(?:sk-ant-api03-|sk-proj-|sk_live_|github_pat_|https:\/\/hooks\.slack\.com\/services\/|lsv2_pt_|pypi-AgEI)/,
      "",
    );
}

/** Every file below a folder. */
export function filesBelow(folder: string): { path: string; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: readFileSync(path) }));
}
