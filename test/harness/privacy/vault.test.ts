/** What is sealed: it opens where it belongs, under a key that is there, unchanged, and nowhere else. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig } from "../../../harness/config.ts";
import { openLedger } from "../../../harness/ledger.ts";
import { openKeyRing, parseKeys } from "../../../harness/privacy/key-ring.ts";
import { openPrivacy } from "../../../harness/privacy/privacy.ts";
import { PLAIN, PRIVACY } from "../../app/privacy.ts";

const { vault } = PRIVACY;
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe("a sealed payload", () => {
  const plain = Buffer.from(JSON.stringify({ text: "ünïcödé \u0000", long: "x".repeat(10_000) }));

  test.each(["seal", "pack"] as const)("that was made by %s opens to the same bytes", (how) => {
    const sealed = vault[how](plain, "t.1/legacy");
    expect(vault.open(sealed, "t.1/legacy")).toEqual(plain);
    expect(Buffer.from(sealed).includes("xxx")).toBe(false);
    expect(sealed.length < plain.length).toBe(how === "pack");
  });

  test("is another one each time: equal payloads do not look equal", () => {
    const once = Buffer.from(vault.seal(plain, "p"));
    expect(once.equals(vault.seal(plain, "p"))).toBe(false);
  });

  test("does not open in another's place", () => {
    const sealed = vault.seal(plain, "t.1/legacy");
    expect(() => vault.open(sealed, "t.1/candidate")).toThrow(code("SEAL_BROKEN"));
    expect(() => vault.open(sealed, "t.2/legacy")).toThrow(code("SEAL_BROKEN"));
  });

  test("with any bit flipped does not open", () => {
    const sealed = vault.pack(Buffer.from('{"n":1}'), "p");
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // A broken head is no seal any more: then it is not JSON either.
      expect(() => JSON.parse(vault.open(flipped, "p").toString())).toThrow();
    }
  });

  test("that was never sealed opens as it is, so that privacy can be switched on later", () => {
    expect(vault.open(PLAIN.vault.seal(plain, ""), "p")).toEqual(plain);
    expect(vault.open(PLAIN.vault.pack(plain, ""), "p")).toEqual(plain);
    expect(PLAIN.vault.seal(plain, "")).toEqual(new Uint8Array(plain));
  });

  test("that retention emptied says so", () => {
    expect(() => vault.open(new Uint8Array(), "p")).toThrow(code("PAYLOAD_GONE"));
  });
});

describe("the key", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "twintrack-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("of a data folder is made once, for its owner's eyes, by whoever comes first of many", async () => {
    const ring = new URL("../../../harness/privacy/key-ring.ts", import.meta.url).href;
    const script = `const { openKeyRing } = await import("${ring}"); console.log(openKeyRing(undefined, ${JSON.stringify(join(folder, "data"))})[0].id)`;
    const run = promisify(execFile);
    const ids = await Promise.all(
      Array.from({ length: 6 }, () =>
        run(process.execPath, ["--input-type=module", "-e", script]).then(({ stdout }) => stdout),
      ),
    );
    expect(new Set(ids).size).toBe(1);
    expect(readdirSync(join(folder, "data"))).toEqual([".gitignore", "key"]);
    expect(statSync(join(folder, "data", "key")).mode & 0o777).toBe(0o600);
  });

  test("may be base64 or hex, and the same bytes are the same key", () => {
    const bytes = Buffer.alloc(32, 5);
    const [a] = parseKeys(bytes.toString("base64"), "x");
    const [b] = parseKeys(bytes.toString("hex"), "x");
    expect(a.id).toBe(b.id);
    expect(
      parseKeys(`${bytes.toString("hex")}\n${Buffer.alloc(32, 6).toString("hex")}`, "x"),
    ).toHaveLength(2);
  });

  test.each([
    "",
    "short",
    "x".repeat(64),
    `${"A".repeat(43)}!`,
    Buffer.alloc(16).toString("base64"),
  ])("is refused when it is %j, without being repeated", (text) => {
    expect(() => parseKeys(text, "TWINTRACK_KEY")).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.not.stringContaining(text === "" ? "\u0000" : text),
        hint: expect.stringContaining("openssl rand"),
      }),
    );
  });

  test("that cannot be made is a problem at the start, not for a caller", () => {
    expect(() => openKeyRing(undefined, "/dev/null/data")).toThrow(code("CONFIG_INVALID"));
    expect(() => openPrivacy({ dataDir: "/dev/null/data", privacy: {} }, {}).prepare()).toThrow(
      code("CONFIG_INVALID"),
    );
    const off = { dataDir: "/dev/null/data", privacy: { seal: false, mask: false as const } };
    expect(() => openPrivacy(off, {}).prepare()).not.toThrow();
  });

  test("seals what the ledger keeps; without it a write is unknown, and never made again", async () => {
    const ledger = openLedger(folder, "e1", vault);
    await ledger.acquire("key", { tool: "pay", args: { to: "ann@mail.example" } });
    await ledger.settle("key", { kind: "returned", value: { iban: "ann@mail.example" } });
    const [file = ""] = readdirSync(join(folder, "ledger"));
    expect(readFileSync(join(folder, "ledger", file), "utf8")).not.toContain("ann@");
    const call = { tool: "pay", args: {} };
    expect(await openLedger(folder, "e2", vault).acquire("key", call)).toEqual({
      kind: "returned",
      value: { iban: "ann@mail.example" },
    });
    const other = openPrivacy(
      { dataDir: folder, privacy: {} },
      { TWINTRACK_KEY: Buffer.alloc(32, 1).toString("hex") },
    );
    expect(await openLedger(folder, "e3", other.vault).acquire("key", call)).toEqual({
      kind: "unknown",
    });
  });
});

test.each([
  [{ seal: "yes" }, "privacy.seal"],
  [{ mask: { keys: "password" } }, "privacy.mask.keys"],
  [
    { mask: { detectors: { emial: false } } },
    "privacy.mask.detectors.emial",
    "Did you mean email?",
  ],
  [{ mask: { allow: ["order/email"] } }, "privacy.mask.allow.0"],
  [{ retentionDays: 0 }, "privacy.retentionDays"],
  [{ rawDay: 3 }, "privacy.rawDay", "Did you mean rawDays?"],
])("a configuration with %j is refused, naming %s", (privacy, place, hint = "README") => {
  expect(() => resolveConfig({ flows: {}, privacy } as never)).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(`at ${place}:`),
      hint: expect.stringContaining(hint),
    }),
  );
});
