/** Services that cannot be moved: real processes with a tracer, against a real server. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { chain } from "../../adapter/capture.ts";
import type { ChainRun, LegacyChain } from "../../adapter/chain.ts";
import { pythonChain } from "../../adapter/python-chain.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import { resolveConfig } from "../../harness/config.ts";
import type { FramePayload } from "../../harness/frame.ts";
import { openPrivacy, runPlace } from "../../harness/privacy/privacy.ts";
import { type Books, books } from "../../harness/store/books.ts";
import { ROOT, type Serving, startServe } from "../app/command.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const CONFIG = fileURLToPath(new URL("../app/tapped.config.ts", import.meta.url));
const PATIENCE = { timeout: 60_000, interval: 100 };

let fresh: TestDatabase;
let serving: Serving;
const sinks = mkdtempSync(join(tmpdir(), "twintrack-tap-"));

beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  serving = await startServe({
    config: CONFIG,
    env: { TWINTRACK_DATABASE_URL: fresh.url ?? "", TWINTRACK_DATA_DIR: fresh.dataDir },
  });
});
afterAll(async () => {
  await serving.end();
  await fresh.drop();
  rmSync(sinks, { recursive: true, force: true });
});

interface Replied {
  answer: JsonObject;
  tookMs: number;
  counts: { sent: number; dropped: Record<string, number> };
}

interface Service {
  process: ChildProcess;
  ask(input: JsonValue): Promise<Replied>;
  /** Closes its input and waits for its end. */
  end(): Promise<number | null>;
}

interface Kind {
  flow: string;
  /** The service's chain, as it would be if it could be moved. */
  chain(): LegacyChain;
  triggers: string;
  start(url: string, queued?: number): Service;
}

const env = () => ({ ...process.env, TWINTRACK_SINK: join(sinks, `${randomUUID()}.ndjson`) });

function service(child: ChildProcess): Service {
  const lines = createInterface(child.stdout as NodeJS.ReadableStream)[Symbol.asyncIterator]();
  const ended = once(child, "exit") as Promise<[number | null]>;
  let said = "";
  child.stderr?.on("data", (text) => {
    said += text;
  });
  return {
    process: child,
    async ask(input) {
      child.stdin?.write(`${JSON.stringify(input)}\n`);
      const { done, value } = await lines.next();
      if (done) throw new Error(`the service ended: ${said}`);
      return JSON.parse(value) as Replied;
    },
    async end() {
      child.stdin?.end();
      return (await ended)[0];
    },
  };
}

const kinds: Record<string, Kind> = {
  JavaScript: {
    flow: "refunds",
    chain: () => chain(refundAgent),
    triggers: "fixtures/refunds/triggers.ndjson",
    start: (url, queued = 1_000) =>
      service(
        spawn(
          process.execPath,
          [join(ROOT, "test/app/service.ts"), url, "refunds", String(queued)],
          { env: env() },
        ),
      ),
  },
  Python: {
    flow: "triage",
    chain: () =>
      pythonChain({
        target: "triage_app.chain:chain",
        interpreter: join(ROOT, ".venv/bin/python"),
        cwd: join(ROOT, "fixtures/triage"),
        env: { TWINTRACK_SINK: join(sinks, `${randomUUID()}.ndjson`) },
      }),
    triggers: "fixtures/triage/triggers.ndjson",
    start: (url, queued = 1_000) =>
      service(
        spawn(
          join(ROOT, ".venv/bin/python"),
          [join(ROOT, "python-bridge/tests/service.py"), url, "triage", String(queued)],
          {
            cwd: join(ROOT, "fixtures/triage"),
            env: {
              ...env(),
              PYTHONPATH: [join(ROOT, "python-bridge/src"), join(ROOT, "fixtures/triage")].join(
                ":",
              ),
            },
          },
        ),
      ),
  },
};

const inputsOf = ({ triggers }: Kind, count: number): JsonValue[] =>
  readFileSync(join(ROOT, triggers), "utf8")
    .split("\n")
    .slice(0, count)
    .map((line) => (JSON.parse(line) as { input: JsonValue }).input);

/** A tracer sees the same calls, arguments and raw results as a chain that runs here. */
async function sameAsCaptured(kind: Kind, payloads: readonly FramePayload[]): Promise<void> {
  vi.stubEnv("TWINTRACK_SINK", join(sinks, `${randomUUID()}.ndjson`));
  const legacy = kind.chain();
  for (const payload of payloads) {
    const captured = await legacy.invoke(payload.input, { tools: { mode: "live" }, effects: {} });
    const calls = (run: FramePayload | ChainRun) =>
      run.calls.map(({ tool, args, outcome, lossy }) => ({ tool, args, outcome, lossy }));
    const asked = (run: FramePayload | ChainRun) => run.modelCalls?.map(({ request }) => request);
    expect(calls(payload)).toEqual(calls(captured));
    expect(asked(payload)).toEqual(asked(captured));
  }
  await legacy.close();
  vi.unstubAllEnvs();
}

async function judgedBooks(trials: number): Promise<Books> {
  return vi.waitFor(async () => {
    const now = await books(fresh.db);
    expect(now.open).toBe(0);
    expect(now.answered).toBe(trials);
    return now;
  }, PATIENCE);
}

let told = 0;

describe.each(Object.entries(kinds))("a %s service that is only tapped", (_, kind) => {
  test("is compared with the typed flow, on what its own tools gave", async () => {
    const running = kind.start(serving.url);
    const inputs = inputsOf(kind, 20);
    const answers: Replied[] = [];
    for (const input of inputs) answers.push(await running.ask(input));
    expect(await running.end()).toBe(0);
    told += inputs.length;

    const { unexplained, gaps } = await judgedBooks(told);
    expect({ unexplained, gaps }).toEqual({ unexplained: 0, gaps: {} });
    const report = await fetch(`${serving.url}/api/report`).then((reply) => reply.text());
    expect(report).toContain(`"name":"${kind.flow}","language":"tapped"`);
    const { vault } = openPrivacy({ dataDir: fresh.dataDir, privacy: {} }, {});
    const trials = await fresh.db.query<{
      id: string;
      verdict: string;
      reason: string;
      payload: Uint8Array;
      source: string;
      effects: number;
    }>(
      `select t.id, t.verdict, t.reason, t.source, t.effect_differences as effects, r.payload from twintrack.trials t
       join twintrack.runs r on r.trial_id = t.id and r.side = 'legacy' where t.flow = $1 order by t.seq`,
      [kind.flow],
    );
    expect(new Set(trials.map(({ source }) => source))).toEqual(new Set(["tap"]));
    // What the service refused itself cannot be compared; everything else is the same on both sides.
    const fine = [
      "match null 0",
      "ignored null 0",
      "both_failed_same null 0",
      "not_run input_invalid 0",
    ];
    const verdicts = trials.map(
      ({ verdict, reason, effects }) => `${verdict} ${reason} ${effects}`,
    );
    expect(verdicts.filter((verdict) => !fine.includes(verdict))).toEqual([]);
    expect(verdicts.filter((verdict) => fine.slice(0, 2).includes(verdict)).length).toBeGreaterThan(
      10,
    );
    const payloads = trials.map(({ id, payload }) =>
      JSON.parse(vault.open(payload, runPlace(id, "legacy")).toString()),
    );
    expect(payloads.map(({ input }) => input)).toEqual(inputs);
    for (const [index, { outcome, calls }] of payloads.entries()) {
      const { answer } = answers[index] as Replied;
      if (outcome.status === "returned") expect(outcome.value).toEqual(answer);
      else expect(outcome.error.message).toBe(answer.failed);
      expect([index, calls.length > 0 || outcome.status === "threw"]).toEqual([index, true]);
    }
    await sameAsCaptured(kind, payloads.slice(0, 3));
  }, 120_000);

  test.concurrent.each([
    ["down", undefined],
    ["slow", () => undefined],
    [
      "answering 500",
      (request, response) =>
        void request.resume().on("end", () => response.writeHead(500).end("no")),
    ],
  ] as [string, RequestListener | undefined][])(
    "is not disturbed by a server that is %s",
    async (_how, listener) => {
      const { url, close, asked } = await fakeServer(listener);
      const running = kind.start(url, 5);
      await running.ask(inputsOf(kind, 1)[0] as JsonValue);
      const replies: Replied[] = [];
      for (const input of inputsOf(kind, 12)) replies.push(await running.ask(input));
      const endedAt = performance.now();
      const code = await running.end();
      const tookMs = performance.now() - endedAt;
      await close();

      expect(code).toBe(0);
      // Two seconds for what waits, and the end of a process on a busy machine.
      expect(tookMs).toBeLessThan(10_000);
      expect(
        replies.filter(
          ({ answer }) => "failed" in answer && /twintrack|tap/i.test(String(answer.failed)),
        ),
      ).toEqual([]);
      // Five wait for the server, the others were given up: memory is bounded, and it is known.
      expect(replies.at(-1)?.counts).toMatchObject({ sent: 0, dropped: { queue_full: 8 } });
      if (listener) expect(asked()).toBeGreaterThan(0);
    },
    60_000,
  );
});

async function fakeServer(listener: RequestListener | undefined) {
  let asked = 0;
  const server: Server = createServer((request, response) => {
    asked += 1;
    listener?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  if (!listener) await close();
  return { url, close, asked: () => asked };
}

/** README's words for a service, run as they are: only the places are put in. */
function readmeBlock(language: "ts" | "python"): string {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, section = ""] = readme.split("### A service you cannot move");
  const [, text] = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(section) ?? [];
  if (text === undefined) throw new Error(`README has no ${language} block for a tapped service`);
  return text
    .replace('"twintrack/tracer"', JSON.stringify(join(ROOT, "adapter/tracer.ts")))
    .replace("http://127.0.0.1:4100", serving.url);
}

test.each(["ts", "python"] as const)(
  "README's tapped service in %s does what it says",
  async (language) => {
    const given = JSON.stringify(run(1).input);
    const agent = JSON.stringify(join(ROOT, "fixtures/refunds/agent.ts"));
    const file = join(sinks, `service-${randomUUID()}.${language === "ts" ? "ts" : "py"}`);
    const before =
      language === "ts"
        ? `import { refundAgent as chain } from ${agent};\nconst request = ${given};\n`
        : `from langchain_core.runnables import RunnableLambda\nchain = RunnableLambda(lambda given: {"decision": "none"})\nrequest = ${given}\n`;
    const after =
      language === "ts" ? "console.log(typeof answer);" : "print(type(answer).__name__)";
    writeFileSync(file, `${before}${readmeBlock(language)}${after}\n`);
    const [command, path] =
      language === "ts"
        ? [process.execPath, ""]
        : [join(ROOT, ".venv/bin/python"), join(ROOT, "python-bridge/src")];
    const child = spawn(command, [file], { env: { ...env(), PYTHONPATH: path } });
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
    });
    expect((await once(child, "exit"))[0]).toBe(0);
    told += 1;

    expect(said.trim()).toBe(language === "ts" ? "object" : "dict");
    expect((await judgedBooks(told)).unexplained).toBe(0);
  },
);

const run = (seq: number, more: JsonObject = {}): JsonObject => ({
  seq,
  triggerId: `trigger-${randomUUID()}`,
  receivedAt: new Date().toISOString(),
  input: { orderId: "A-10001", email: "elif.fischer.1@example.com", message: "Broken." },
  outcome: { status: "returned", value: { decision: "rejected" } },
  calls: [],
  modelCalls: [],
  durationMs: 1,
  ...more,
});

async function tap(flow: string, body: unknown, url = serving.url) {
  const response = await fetch(`${url}/tap/${flow}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as JsonObject };
}

describe("what is sent to the tap", () => {
  test("is a trial once, however often it is sent, and whoever tells it again", async () => {
    const [epoch, other] = [randomUUID(), randomUUID()];
    const one = run(1);
    expect(await tap("refunds", { epoch, runs: [one], gaps: [] })).toMatchObject({
      status: 200,
      body: { accepted: 1, duplicates: 0 },
    });
    expect((await tap("refunds", { epoch, runs: [one], gaps: [] })).body.duplicates).toBe(0);
    const twin = await tap("refunds", { epoch: other, runs: [one], gaps: [] });
    expect(twin.body).toEqual({ accepted: 0, duplicates: 1 });
    told += 2;

    const now = await judgedBooks(told);
    expect(now).toMatchObject({ unexplained: 0, gaps: { tapped_twice: 1 } });
  });

  test("accounts for the runs that the tracer gave up", async () => {
    const gaps = [{ fromSeq: 1, toSeq: 3, cause: "queue_full" }];
    await tap("refunds", { epoch: randomUUID(), runs: [run(4)], gaps });
    told += 4;

    expect(await judgedBooks(told)).toMatchObject({ unexplained: 0, gaps: { queue_full: 3 } });
  });

  test("is booked, but not compared, when the flow cannot take its input", async () => {
    const epoch = randomUUID();
    await tap("refunds", { epoch, runs: [run(1, { input: "free text" })], gaps: [] });
    told += 1;
    await judgedBooks(told);

    expect(
      await fresh.db.query("select verdict, reason from twintrack.trials where epoch = $1", [
        epoch,
      ]),
    ).toEqual([{ verdict: "not_run", reason: "input_invalid" }]);
  });

  test("may hold an input that LangChain's callbacks wrapped", async () => {
    const epoch = randomUUID();
    const inner = run(1);
    await tap("refunds", {
      epoch,
      runs: [{ ...inner, input: { input: inner.input } } as JsonObject],
      gaps: [],
    });
    told += 1;
    await judgedBooks(told);
    const [trial] = await fresh.db.query<{ verdict: string }>(
      "select verdict from twintrack.trials where epoch = $1",
      [epoch],
    );
    expect(trial?.verdict).not.toBe("not_run");
  });

  test.each([
    [
      "an unknown flow",
      "nowhere",
      { epoch: randomUUID(), runs: [], gaps: [] },
      404,
      "FLOW_UNKNOWN",
    ],
    [
      "a flow without legacy",
      "typedOnly",
      { epoch: randomUUID(), runs: [], gaps: [] },
      500,
      "SIDE_MISSING",
    ],
    ["no JSON", "refunds", "{", 400, "REQUEST_INVALID"],
    ["another shape", "refunds", { runs: [] }, 400, "REQUEST_INVALID"],
    [
      "a run without an answer",
      "refunds",
      { epoch: randomUUID(), runs: [{ ...run(1), outcome: {} }], gaps: [] },
      400,
      "REQUEST_INVALID",
    ],
    [
      "a number that is none",
      "refunds",
      { epoch: randomUUID(), runs: [run(0)], gaps: [] },
      400,
      "REQUEST_INVALID",
    ],
    [
      "a gap that ends before it begins",
      "refunds",
      { epoch: randomUUID(), runs: [], gaps: [{ fromSeq: 2, toSeq: 1, cause: "x" }] },
      400,
      "REQUEST_INVALID",
    ],
  ])("is refused with %s, by a typed problem", async (_, flow, body, status, code) => {
    expect(await tap(flow, body)).toMatchObject({ status, body: { code } });
  });

  test("is refused by its size, before it is read", async () => {
    const headers = { "content-type": "application/json", "content-length": "5000000" };
    const asking = request(`${serving.url}/tap/refunds`, { method: "POST", headers });
    asking.flushHeaders();
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    const problem = await json(response);
    asking.destroy();

    expect(response.statusCode).toBe(413);
    expect(problem).toMatchObject({ code: "VALUE_TOO_LARGE" });
  });

  test("needs the server's key when there is one", async () => {
    const data = mkdtempSync(join(sinks, "keyed-"));
    const keyed = await startServe({
      config: CONFIG,
      env: {
        TWINTRACK_API_KEY: "k-1",
        TWINTRACK_DATA_DIR: data,
        TWINTRACK_DATABASE_URL: fresh.url ?? "",
      },
    });
    try {
      const batch = { epoch: randomUUID(), runs: [], gaps: [] };
      expect(await tap("refunds", batch, keyed.url)).toMatchObject({
        status: 401,
        body: { code: "UNAUTHENTICATED" },
      });
    } finally {
      await keyed.end();
    }
  });

  test("never starts the service's chain from here", async () => {
    const response = await fetch(`${serving.url}/flows/refunds/invoke`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: run(1).input }),
    });
    expect(await response.json()).toMatchObject({
      code: "SIDE_MISSING",
      detail: expect.stringContaining("only tapped"),
    });
  });
});

test("noise of a tapped flow is refused by the configuration, which says why", () => {
  const flows = { refunds: { legacy: "tap" as const, noise: { sample: 0.1 } } };
  expect(() => resolveConfig({ flows })).toThrow(/cannot be run a second time/);
});
