/** Output schemas that are learned from recorded runs, through the command line. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MIN_LEARNED_VALUES } from "../../adapter/learn.ts";
import { command, document } from "../app/command.ts";
import { CONFIG_FILE, startApp } from "../app/start.ts";

test("tools contracts --learn locks what each tool returned, and a result unlike it warns", async () => {
  const folder = mkdtempSync(join(tmpdir(), "twintrack-learn-"));
  const app = await startApp("postgres");
  try {
    for (let n = 1; n <= MIN_LEARNED_VALUES; n += 1) await app.harness.live.answer("pay", { n });
    await app.harness.settle();
    const env = {
      TWINTRACK_DATABASE_URL: app.config.databaseUrl ?? "",
      TWINTRACK_DATA_DIR: app.config.dataDir,
    };
    const run = (...args: string[]) =>
      document([...args, "--config", CONFIG_FILE], { env, cwd: folder });

    const { reply } = await run("tools", "contracts", "--write", "--learn");

    expect(reply.data.learned).toBe(2);
    const lock = JSON.parse(readFileSync(join(folder, "contracts/shop.quote.json"), "utf8"));
    expect(lock).toMatchObject({
      learnedOutputSchema: {
        type: "object",
        properties: { cents: { type: "integer" } },
        required: ["cents"],
      },
    });
    expect(lock).not.toHaveProperty("outputSchema");
    expect((await run("tools", "contracts", "--check")).code).toBe(0);
    const usual = await run("tools", "call", "shop.quote", "--input", '{"n":2}');
    expect(usual.reply.warnings).toEqual([]);
    const odd = await run("tools", "call", "shop.quote", "--input", '{"n":0.123}');
    expect(odd.reply.warnings).toEqual([
      expect.stringMatching(/unlike all recorded results: \/cents must be integer/),
    ]);
    expect(odd.reply.data.contract).toBe("ok");
    const input = await command(
      ["tools", "call", "shop.quote", "--input", "-", "--config", CONFIG_FILE],
      { env, cwd: folder, input: '{"n":0.123}' },
    );
    expect(input.stderr).toContain("warning: unlike all recorded results");
  } finally {
    await app.close();
    rmSync(folder, { recursive: true });
  }
});
