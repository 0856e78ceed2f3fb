/** What a shadow run does outside of tools: nothing, and the report says that it tried. */
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type App, startApp } from "../app/start.ts";
import { OUTSIDE, STRAYS, type Stray } from "../app/strays.ts";

const CONFIG = fileURLToPath(new URL("../app/strays.config.ts", import.meta.url));

let app: App;
let server: Server;
let visitors = 0;
beforeAll(async () => {
  // The checkout itself may lie in the temporary folder, which is open to shadows.
  vi.stubEnv("TMPDIR", mkdtempSync(join(tmpdir(), "twintrack-egress-")));
  server = createServer((_request, response) => response.end("seen"));
  server.on("connection", () => visitors++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env.STRAY_PORT = String((server.address() as AddressInfo).port);
  app = await startApp("postgres", CONFIG);
});
afterAll(async () => {
  await app.close();
  server.close();
  rmSync(tmpdir(), { recursive: true, force: true });
  vi.unstubAllEnvs();
});

interface Judged {
  verdict: string;
  noise: string | null;
  differences: { compared: string; difference: string }[];
}

async function judged(flow: string, how: string): Promise<Judged> {
  const { trialId } = await app.harness.live.answer(flow, { how });
  await app.harness.settle();
  const db = await app.harness.database();
  const [trial] = await db.query<{ verdict: string; noise: string | null }>(
    "select verdict, noise_verdict as noise from twintrack.trials where id = $1",
    [trialId],
  );
  const differences = await db.query<Judged["differences"][number]>(
    "select compared, difference from twintrack.differences where trial_id = $1 order by ordinal",
    [trialId],
  );
  return { verdict: trial?.verdict ?? "", noise: trial?.noise ?? null, differences };
}

function effects({ differences }: Judged, compared: string): string[] {
  return differences
    .filter((row) => row.compared === compared)
    .map(({ difference }) => JSON.parse(difference) as { kind: string; path: string })
    .filter(({ kind }) => kind === "effect")
    .map(({ path }) => path);
}

const FILES: readonly string[] = ["file", "append", "folder"];

describe("a step that acts past its tools", () => {
  test.each(Object.keys(STRAYS) as Stray[])("by %s does nothing, and fails", async (how) => {
    const trial = await judged("strayed", how);
    expect(trial.verdict).toBe("candidate_error");
    // Files are refused by Node itself, which tells nobody but the caller.
    expect(effects(trial, "candidate")).toEqual(FILES.includes(how) ? [] : ["/effects/egress"]);
    expect(visitors).toBe(0);
    expect(existsSync(OUTSIDE)).toBe(false);
  });

  test("and swallows the refusal has another effect than legacy all the same", async () => {
    const trial = await judged("shrugs", "socket");
    expect(trial.verdict).toBe("mismatch");
    expect(effects(trial, "candidate")).toEqual(["/effects/egress"]);
  });
});

test.each(["socket", "spawn"])(
  "a second run of legacy does not reach the world by %s",
  async (how) => {
    const trial = await judged("straysAgain", how);
    expect(trial).toMatchObject({ verdict: "match", noise: "candidate_error" });
    expect(effects(trial, "noise")).toEqual(["/effects/egress"]);
    expect(visitors).toBe(0);
  },
);

test("nor does one in Python", async () => {
  const trial = await judged("inPython", "socket");
  expect(trial).toMatchObject({ verdict: "match", noise: "candidate_error" });
  expect(effects(trial, "noise")).toEqual(["/effects/egress"]);
  expect(visitors).toBe(0);
});

test("a read that may run live does reach it", async () => {
  await judged("visits", "");
  expect(visitors).toBe(1);
});
