/** What is masked, what is not, and that equal secrets stay equal. */
import { describe, expect, test } from "vitest";
import type { JsonValue } from "../../../core/json.ts";
import { DETECTOR_KINDS, findSecrets } from "../../../harness/privacy/detector.ts";
import { openPrivacy } from "../../../harness/privacy/privacy.ts";
import type { PrivacyConfig } from "../../../harness/privacy/privacy-config.ts";
import { KEY, PRIVACY } from "../../app/privacy.ts";
import { CANARY_KINDS, canaries, searchFor } from "../../faults/canary.ts";

const { mask } = PRIVACY;
const maskBy = (options: NonNullable<PrivacyConfig["mask"]>) =>
  openPrivacy({ dataDir: "/dev/null", privacy: { mask: options } }, { TWINTRACK_KEY: KEY }).mask;

describe("a text", () => {
  test("loses every canary of every kind, alone and in the middle of a sentence", () => {
    const hidden = canaries(64 * CANARY_KINDS.length, 7);
    const search = searchFor(hidden);
    const left = hidden.filter(({ text }) =>
      [text, `It said: ${text} and went on.`, `"${text}"`, `(${text}),\n`].some(
        (sentence) => search(mask.text(sentence)).length > 0,
      ),
    );
    expect(left.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([]);
    // The search would have found them.
    expect(hidden.filter(({ text }) => search(text).length > 0)).toHaveLength(hidden.length);
  });

  test("keeps what is around a secret, and says of what kind it was", () => {
    expect(mask.text("Write to ann.lee@mail.example, please")).toMatch(
      /^Write to ⟨email:[0-9a-f]{16}⟩, please$/,
    );
  });

  test("shows equal secrets as equal, and different ones as different", () => {
    const [one, again, other] = ["a@b.example", "a@b.example", "c@b.example"].map(mask.text);
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });

  test("is masked another way under another key: nobody can guess without it", () => {
    const otherKey = openPrivacy(
      { dataDir: "/dev/null", privacy: {} },
      { TWINTRACK_KEY: Buffer.alloc(32, 7).toString("base64") },
    );
    expect(otherKey.mask.text("a@b.example")).not.toBe(mask.text("a@b.example"));
  });

  test("that is masked already stays as it is", () => {
    for (const { text } of canaries(CANARY_KINDS.length, 3)) {
      const once = mask.text(`x ${text} y`);
      expect(mask.text(once)).toBe(once);
    }
  });

  test.each([
    ["a number that is no card", "order 4111111111111112 of 2026-08-21"],
    ["an account that is no IBAN", "DE00370400440532013000"],
    ["ids and times", "550e8400-e29b-41d4-a716-446655440000 at 2026-08-21T10:11:12.131Z"],
    ["a hash", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ["prose", "The bearer certificates and the basic understanding of tokens: none are secret."],
    ["an address without a person", "https://example.com/a:b/c?d=e"],
    ["amounts", "Total 1,234.56 EUR, 12 items, tax 19 %"],
    ["a version", "node v24.1.0, twintrack 0.1.0"],
  ])("is left alone when it is %s", (_, text) => {
    expect(mask.text(text)).toBe(text);
  });

  test("made to be hard takes time in proportion to its length", () => {
    const pieces = [
      "a",
      "a.",
      "@",
      "eyJ",
      "eyJa.",
      "1",
      "1 ",
      "4-",
      "://a:",
      "-----BEGIN PRIVATE KEY-----",
      "key",
      "key=",
      "Bearer ",
      "sk-",
      "DE12 ",
      "+1",
      "cookie:",
      "\u0130",
      "(123",
    ];
    const cpuUsOf = (piece: string, length: number) => {
      const text = piece.repeat(Math.ceil(length / piece.length));
      const before = process.cpuUsage();
      findSecrets(text, DETECTOR_KINDS);
      return process.cpuUsage(before).user;
    };
    // Ten times the length: quadratic time would be a hundred times as much. What is short is not measured.
    const isSlow = (piece: string) =>
      cpuUsOf(piece, 200_000) > 40 * Math.max(cpuUsOf(piece, 20_000), 5_000);
    expect(pieces.filter(isSlow)).toEqual([]);
  });
});

describe("a value", () => {
  test.each([
    "password",
    "db_password",
    "apiKey",
    "X-API-Key",
    "stripeSecretKey",
    "Authorization",
    "refreshToken",
    "cvv",
    "SSN",
    "set-cookie",
    "client_secret",
  ])("in the field %s is a secret, whatever it looks like", (field) => {
    const masked = mask.json({ [field]: "tiger", other: "tiger" }) as Record<string, string>;
    expect(masked[field]).toMatch(/^⟨secret:[0-9a-f]{16}⟩$/);
    expect(masked.other).toBe("tiger");
  });

  test.each(["maxTokens", "tokens", "passwordless", "secretary", "shipping", "author", "keys"])(
    "in the field %s is none",
    (field) => {
      expect(mask.json({ [field]: 12, text: "x" })).toEqual({ [field]: 12, text: "x" });
    },
  );

  test("below a secret field is a secret at every depth; nulls stay, and shapes", () => {
    expect(mask.json({ credentials: { user: "ann", pins: [1, null, true] } })).toEqual({
      credentials: {
        user: expect.stringMatching(/^⟨secret:/),
        pins: [expect.stringMatching(/^⟨secret:/), null, expect.stringMatching(/^⟨secret:/)],
      },
    });
  });

  test("loses secrets in the names of fields, too", () => {
    expect(JSON.stringify(mask.json({ "ann@mail.example": 1 }))).not.toContain("ann@");
  });

  test("that is a card number is masked as a number, too", () => {
    expect(mask.json({ n: 4_111_111_111_111_111 })).toEqual({
      n: expect.stringMatching(/^⟨card:/),
    });
    expect(mask.json({ n: 1_789_000_000_000 })).toEqual({ n: 1_789_000_000_000 });
  });

  test("is shown where the configuration allows it, and nowhere else", () => {
    const { json } = maskBy({ allow: ["/order/*/email"] });
    const shown = json({ order: [{ email: "a@b.example" }], email: "a@b.example" }) as JsonValue;
    expect(shown).toMatchObject({ order: [{ email: "a@b.example" }] });
    expect(shown).toMatchObject({ email: expect.stringMatching(/^⟨email:/) });
  });

  test("is masked by the user's own names, and not by detectors that are switched off", () => {
    const { json } = maskBy({ keys: ["loyalty number"], detectors: { email: false } });
    expect(json({ loyaltyNumber: 12, mail: "a@b.example", phone: "+4915112345678" })).toEqual({
      loyaltyNumber: expect.stringMatching(/^⟨secret:/),
      mail: "a@b.example",
      phone: expect.stringMatching(/^⟨phone:/),
    });
    expect(maskBy(false).json({ password: "x" })).toEqual({ password: "x" });
  });

  test("that cannot be masked is not shown: a digest, or nothing, takes its place", () => {
    const deep: JsonValue[] = [];
    let inner = deep;
    for (let level = 0; level < 200_000; level++) {
      const next: JsonValue[] = [];
      inner.push(next);
      inner = next;
    }
    inner.push("a@b.example");
    expect(mask.json(deep)).toBe("⟨unmaskable⟩");
  });
});

describe("a difference", () => {
  test("is masked by the names on its path, and so is the path", () => {
    const masked = mask.difference({
      kind: "value",
      path: "/users/ann@mail.example/password",
      legacy: "tiger",
      candidate: "lion",
    });
    expect(masked.path).toMatch(/^\/users\/⟨email:[0-9a-f]{16}⟩\/password$/);
    expect(masked.legacy).toMatch(/^⟨secret:/);
    expect(masked.candidate).not.toBe(masked.legacy);
  });
});
