/** The HTTP face: what a caller, an operator and a browser get, byte for byte where it is promised. */
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { JsonValue } from "../../core/json.ts";
import { resolveConfig } from "../../harness/config.ts";
import { type Server, serve } from "../../harness/http/server.ts";
import { books } from "../../harness/store/books.ts";
import { mcpToolsSince } from "../../harness/store/mcp-tools.ts";
import { type Harness, openHarness } from "../../harness/twintrack.ts";
import { getJson, invoke } from "../app/command.ts";
import { type App, startApp } from "../app/start.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

let app: App;
let server: Server;
let url: string;
beforeAll(async () => {
  app = await startApp("postgres");
  server = await serve(app.harness, { port: 0 });
  url = server.url;
});
afterAll(async () => {
  await server.close();
  await app.close();
});

const send = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });

describe("a flow that is invoked", () => {
  test("answers in LangServe's shape and names its trial in a header", async () => {
    const { status, body, headers } = await invoke(url, "pay", { n: 2 });
    expect(status).toBe(200);
    expect(body).toEqual({
      output: { receipt: "R-200-EUR" },
      metadata: {
        trial: expect.stringMatching(/^\d{8}-[0-9a-f-]{36}\.\d+$/),
        trigger: expect.any(String),
        side: "legacy",
        durationMs: expect.any(Number),
      },
    });
    expect(headers.get("twintrack-trial")).toBe(body.metadata.trial);
  });

  test("fails with the side's own words, and still names its trial", async () => {
    const failed = await invoke(url, "fails", { n: 1 });
    expect(failed).toMatchObject({
      status: 502,
      body: {
        code: "LEGACY_FAILED",
        detail: expect.stringContaining("TypeError: legacy is broken"),
      },
    });
    expect(failed.headers.get("twintrack-trial")).toMatch(/\.\d+$/);
    const late = await invoke(url, "slow", { n: 1 });
    expect(late).toMatchObject({ status: 504, body: { code: "TIMEOUT" } });
    expect(late.headers.get("twintrack-trial")).toMatch(/\.\d+$/);
  });

  test("G1: runs once for fifty equal requests at a time, and for one that comes later", async () => {
    const before = { effects: app.effects().length, ...app.harness.live.counts() };
    const key = { "idempotency-key": "order-1" };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => invoke(url, "pay", { n: 7 }, key)),
    );
    answers.push(await invoke(url, "pay", { n: 7 }, key));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(answers[0]?.body.metadata.trigger).toBe("order-1");
    expect(app.effects().length - before.effects).toBe(1);
    expect(app.harness.live.counts().answered - before.answered).toBe(1);
  });

  test("G2: refuses another input under the same key, and runs nothing", async () => {
    const key = { "idempotency-key": "order-2" };
    expect(await invoke(url, "pay", { n: 1 }, key)).toMatchObject({ status: 200 });
    const effects = app.effects().length;
    expect(await invoke(url, "pay", { n: 2 }, key)).toMatchObject({
      status: 409,
      body: {
        code: "TRIGGER_CONFLICT",
        detail: expect.stringContaining('"order-2"'),
        hint: expect.stringContaining("Idempotency-Key"),
      },
    });
    expect(app.effects()).toHaveLength(effects);
  });

  test("takes the same key for another flow, and the same input in another key order", async () => {
    const key = { "idempotency-key": "order-3" };
    const [one, two] = [
      await send("/flows/add/invoke", '{"input":{"n":1,"m":2}}', key),
      await send("/flows/add/invoke", '{"input":{"m":2,"n":1.0}}', key),
    ];
    expect(await two.json()).toEqual(await one.json());
    expect(await invoke(url, "pay", { n: 1 }, key)).toMatchObject({ status: 200 });
  });

  test("that was refused at the door may be corrected under the same key", async () => {
    const key = { "idempotency-key": "order-4" };
    expect(await invoke(url, "add", { n: "one" }, key)).toMatchObject({ status: 422 });
    expect(await invoke(url, "add", { n: 1 }, key)).toMatchObject({ status: 200 });
  });
});

describe("a caller who hangs up", () => {
  let fresh: TestDatabase;
  let harness: Harness;
  let own: Server;
  let started: PromiseWithResolvers<AbortSignal>;
  let finish: PromiseWithResolvers<JsonValue>;
  let runs = 0;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
    const waits = (_input: unknown, { signal }: { signal: AbortSignal }) => {
      runs++;
      started.resolve(signal);
      return finish.promise;
    };
    harness = openHarness({
      ...resolveConfig({ flows: { waits: { legacy: () => waits } } }),
      dataDir: fresh.dataDir,
      databaseUrl: fresh.url,
    });
    own = await serve(harness, { port: 0 });
  });
  afterAll(async () => {
    await own.close();
    await harness.close();
    await fresh.drop();
  });

  /** Sends a request, waits until the flow runs, and cuts the connection. */
  async function hangUp(headers = ""): Promise<AbortSignal> {
    started = Promise.withResolvers();
    finish = Promise.withResolvers();
    const body = '{"input":{}}';
    const socket = connect(Number(new URL(own.url).port), "127.0.0.1");
    socket.write(
      `POST /flows/waits/invoke HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`,
    );
    const signal = await started.promise;
    socket.destroy();
    await once(socket, "close");
    return signal;
  }

  test("G8: stops the flow that runs for nobody; the trial is booked as cancelled", async () => {
    const signal = await hangUp();
    await vi.waitFor(() => expect(signal.aborted).toBe(true), { timeout: 5_000 });
    finish.resolve(1);
    await vi.waitFor(() => expect(harness.live.counts().answered).toBe(1), { timeout: 5_000 });
    await harness.settle();
    expect(await books(await harness.database())).toMatchObject({
      answered: 1,
      open: 0,
      unexplained: 0,
      verdicts: { not_run: 1 },
    });
  });

  test("gets the answer of the same run when he comes back with his key", async () => {
    const before = runs;
    const signal = await hangUp("idempotency-key: again\r\n");
    // Answered after the server has seen the connection end, which was before this one began.
    for (let call = 0; call < 3; call++) await getJson(`${own.url}/healthz`);
    const again = invoke(own.url, "waits", {}, { "idempotency-key": "again" });
    finish.resolve({ done: true });
    expect(await again).toMatchObject({ status: 200, body: { output: { done: true } } });
    expect(signal.aborted).toBe(false);
    expect(runs - before).toBe(1);
  });
});

describe("a problem", () => {
  test.each([
    ["an unknown flow", "/flows/adds/invoke", '{"input":{}}', {}, 404, "FLOW_UNKNOWN"],
    ["an unknown path", "/flow/add", "{}", {}, 404, "REQUEST_INVALID"],
    ["a body that is not JSON", "/flows/add/invoke", "{n:1}", {}, 400, "REQUEST_INVALID"],
    ["an empty body", "/flows/add/invoke", "", {}, 400, "REQUEST_INVALID"],
    ["a body without input", "/flows/add/invoke", '{"n":1}', {}, 400, "REQUEST_INVALID"],
    ["a body that is a list", "/flows/add/invoke", "[1]", {}, 400, "REQUEST_INVALID"],
    [
      "a body of another type",
      "/flows/add/invoke",
      "n=1",
      { "content-type": "application/x-www-form-urlencoded" },
      400,
      "REQUEST_INVALID",
    ],
    ["an input that does not fit", "/flows/add/invoke", '{"input":{}}', {}, 422, "INPUT_INVALID"],
    [
      "a body that names a prototype",
      "/flows/add/invoke",
      '{"input":{"__proto__":{"n":1}}}',
      {},
      400,
      "REQUEST_INVALID",
    ],
    [
      "a body over 4 MiB",
      "/flows/add/invoke",
      `{"input":{"n":1,"x":"${"x".repeat(4 * 1024 * 1024)}"}}`,
      {},
      413,
      "VALUE_TOO_LARGE",
    ],
  ])(
    "G5: with %s follows RFC 9457 and is no trial",
    async (_, path, body, headers, status, code) => {
      const { answered } = app.harness.live.counts();
      const response = await send(path, body, headers);
      expect(response.status).toBe(status);
      expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      const problem = (await response.json()) as Record<string, unknown>;
      expect(problem).toMatchObject({ title: code, status, code, detail: expect.any(String) });
      expect(problem.type).toBe(`urn:twintrack:error:${code}`);
      expect(app.harness.live.counts().answered).toBe(answered);
    },
  );

  test("tells nothing of the server's files", async () => {
    const response = await send("/flows/fails/invoke", '{"input":{"n":1}}');
    expect(await response.text()).not.toMatch(/\.ts|node_modules| at /);
  });
});

describe("an operator", () => {
  test("sees that the process lives and whether it is ready", async () => {
    expect(await getJson(`${url}/healthz`)).toEqual({ status: 200, body: { ok: true } });
    expect(await getJson(`${url}/readyz`)).toMatchObject({
      status: 200,
      body: { ready: true, database: { kind: "postgres", ready: true }, spool: {} },
    });
  });

  test("gets metrics that Prometheus can parse, each with help and type, and the books in them", async () => {
    await app.harness.settle();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    expect(text.endsWith("\n")).toBe(true);
    const lines = text.trimEnd().split("\n");
    const typed = new Set<string>();
    for (const line of lines) {
      const declared = /^# (?:HELP (\w+) .+|TYPE (\w+) (?:counter|gauge))$/.exec(line);
      const sample = /^(\w+)(?:\{\w+="[^"\\\n]*"\})? \d+$/.exec(line);
      expect(declared ?? sample, line).not.toBeNull();
      if (declared?.[2]) typed.add(declared[2]);
      if (sample) expect(typed).toContain(sample[1]);
    }
    const value = (name: string) =>
      Number(lines.find((line) => line.startsWith(`${name} `))?.split(" ")[1]);
    const verdicts = lines
      .filter((line) => line.startsWith("twintrack_trials{"))
      .reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
    expect(value("twintrack_answered_total")).toBe(app.harness.live.counts().answered);
    expect(verdicts + value("twintrack_trials_open")).toBe(value("twintrack_answered_total"));
    expect(value("twintrack_unexplained")).toBe(0);
  });

  test("sees the report as a page and as data", async () => {
    const page = await fetch(`${url}/`);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    const html = await page.text();
    expect(html).toMatch(/^<!doctype html>/i);
    for (const flow of ["pay", "paysTwice", "legacyOnly"]) expect(html).toContain(flow);
    expect((await getJson(`${url}/api/report`)).body).toMatchObject({
      schema: "twintrack/report@1",
      books: { gaps: 0 },
    });
  });
});

describe("a command over HTTP", () => {
  const note = () => {
    const name = readdirSync(app.config.dataDir).find((file) => file.startsWith("server-"));
    return join(app.config.dataDir, String(name));
  };
  const body = JSON.stringify({
    command: "shadow off",
    args: { flow: "add", who: "ann", why: "a test" },
  });

  test.each([
    ["no secret", {}],
    ["a wrong secret", { authorization: `Bearer ${"0".repeat(64)}` }],
    ["half a secret", { authorization: "Bearer " }],
  ])("with %s is refused and changes nothing", async (_, headers) => {
    const response = await send("/api/commands", body, headers as Record<string, string>);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(app.harness.stages.of("add").stage).toBe("shadow");
  });

  test("with the secret that only this user can read is done, and holds at once", async () => {
    expect(statSync(note()).mode & 0o777).toBe(0o600);
    const { secret } = JSON.parse(readFileSync(note(), "utf8")) as { secret: string };
    const headers = { authorization: `Bearer ${secret}` };
    expect((await send("/api/commands", body, headers)).status).toBe(200);
    expect(app.harness.stages.of("add").stage).toBe("legacy");
    const unknown = await send("/api/commands", '{"command":"constructor","args":{}}', headers);
    expect(unknown.status).toBe(400);
  });
});

describe("a server", () => {
  test("refuses an address that others can reach while nothing authenticates callers", async () => {
    await expect(serve(app.harness, { host: "0.0.0.0", port: 0 })).rejects.toMatchObject({
      code: "BIND_REFUSED",
      message: expect.stringContaining("0.0.0.0"),
      hint: expect.stringContaining("TWINTRACK_API_KEY"),
    });
  });

  test("with an API key answers whoever sends it; health stays open", async () => {
    const locked = await serve(app.harness, { port: 0, apiKey: "s3cret" });
    try {
      const get = (path: string, key?: string) =>
        fetch(`${locked.url}${path}`, key ? { headers: { authorization: `Bearer ${key}` } } : {});
      expect((await get("/api/report")).status).toBe(401);
      expect((await get("/api/report", "s3cre")).status).toBe(401);
      expect((await get("/api/report", "s3cret")).status).toBe(200);
      expect((await get("/healthz")).status).toBe(200);
      expect(await invoke(locked.url, "add", { n: 1 })).toMatchObject({
        status: 401,
        body: { code: "UNAUTHENTICATED" },
      });
    } finally {
      await locked.close();
    }
  });

  test("names the port that another process has", async () => {
    const port = Number(new URL(url).port);
    await expect(serve(app.harness, { port })).rejects.toMatchObject({
      code: "BIND_FAILED",
      message: expect.stringContaining(String(port)),
      hint: expect.stringContaining("--port"),
    });
    expect(await invoke(url, "add", { n: 1 })).toMatchObject({ status: 200 });
  });
});

test("a tool that an MCP client calls is noted, so that retiring a flow does not take it away", async () => {
  const client = new Client({ name: "desk", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", url)));
  const result = await client.callTool({ name: "shop_quote", arguments: { n: 3 } });
  await client.close();
  expect(result.structuredContent).toEqual({ cents: 300 });
  const db = await app.harness.database();
  await vi.waitFor(async () =>
    expect(await mcpToolsSince(db, 1)).toMatchObject([{ tool: "shop.quote" }]),
  );
});
