/** Who may do what: every route and every command, for every role, and what happens to keys. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { newKey } from "../../harness/access/api-key.ts";
import { type KeyBook, openKeyBook } from "../../harness/access/key-book.ts";
import { may, ROLES, type Role } from "../../harness/access/role.ts";
import { COMMAND_ROLES, STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { ROUTES } from "../../harness/http/access.ts";
import { type Server, serve } from "../../harness/http/server.ts";
import { auditLines } from "../../harness/store/audit.ts";
import { addKey, listKeys, revokeKey } from "../../harness/store/keys.ts";
import { type App, startApp } from "../app/start.ts";
import { BACKENDS, freshDatabase, type TestDatabase } from "../database.ts";

/** A few flows only: the report is asked for often. */
const CONFIG = fileURLToPath(new URL("../app/canary.config.ts", import.meta.url));

let app: App;
let server: Server;
const keys = new Map<Role, string>();
beforeAll(async () => {
  app = await startApp("postgres", CONFIG);
  const db = await app.harness.database();
  for (const role of ROLES) {
    const made = await addKey(db, { name: `a ${role}`, role, expiresAt: null, who: "ann" });
    keys.set(role, made.key);
  }
  await app.harness.keys.refresh(db);
  server = await serve(app.harness, { port: 0, apiKey: "from the environment" });
});
afterAll(async () => {
  await server.close();
  await app.close();
});

const INVOKE = '{"input":{"text":"a","note":"b","output":{}}}';

const BODIES: Record<string, string> = {
  "POST /flows/:flow/invoke": INVOKE,
  "POST /flows/:flow/stream": INVOKE,
  "POST /api/commands": '{"command":"books","args":{}}',
};

/** Asks for a route of the table as the holder of a key. Returns the status. */
async function ask(route: string, key: string | undefined): Promise<number> {
  const [method = "", path = ""] = route.replace("*", "POST").split(" ");
  const response = await fetch(
    `${server.url}${path.replace(":flow", path.startsWith("/tap") ? "tapped" : "keeps")}`,
    {
      method,
      headers: {
        ...(method === "POST" ? { "content-type": "application/json" } : {}),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      ...(method === "POST" ? { body: BODIES[route] ?? "{}" } : {}),
    },
  );
  await response.text();
  return response.status;
}

describe.each(Object.entries(ROUTES))("%s, which is for %s", (route, access) => {
  test.each(ROLES)("is open to a key of role %s just when its role includes it", async (role) => {
    const status = await ask(route, keys.get(role));
    const needed = route === "POST /api/commands" ? "viewer" : access;
    const isOpen = needed === "open" || may(role, needed as Role);
    if (isOpen) expect([401, 403, 429]).not.toContain(status);
    else expect(status).toBe(403);
  });

  test("is open to the key of the environment, and to nobody without a key", async () => {
    expect([401, 403]).not.toContain(await ask(route, "from the environment"));
    const status = await ask(route, undefined);
    if (access === "open") expect(status).toBe(200);
    else expect([401, 429]).toContain(status);
  });
});

test("a route that is in no table cannot be registered", async () => {
  const { default: Fastify } = await import("fastify");
  const { guard } = await import("../../harness/http/access.ts");
  const fresh = Fastify();
  const door = { adminKey: undefined, secret: "s", keys: app.harness.keys, loopback: [] };
  guard(fresh, door);
  expect(() => fresh.get("/new", () => "hello")).toThrow(/GET \/new is in no table/);
});

describe("a command over HTTP", () => {
  const send = async (command: string, role: Role) => {
    const response = await fetch(`${server.url}/api/commands`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${keys.get(role)}` },
      body: JSON.stringify({ command, args: {} }),
    });
    return { status: response.status, body: (await response.json()) as { code?: string } };
  };

  test("is refused to every role that does not include the one it needs", async () => {
    for (const command of Object.keys(STORE_COMMANDS)) {
      const needed = COMMAND_ROLES[command] ?? "admin";
      const refused = ROLES.filter((role) => !may(role, needed));
      for (const role of refused)
        expect([command, role, await send(command, role)]).toMatchObject([
          command,
          role,
          { status: 403, body: { code: "FORBIDDEN" } },
        ]);
    }
  });

  test("is done for whoever may, in the name of his key", async () => {
    expect(await send("books", "viewer")).toMatchObject({ status: 200 });
    const off = await fetch(`${server.url}/api/commands`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${keys.get("operator")}`,
      },
      body: JSON.stringify({
        command: "shadow off",
        args: { flow: "keeps", who: "somebody else", why: "a test" },
      }),
    });
    expect(off.status).toBe(200);
    const [line] = await auditLines(await app.harness.database(), 1);
    expect(line).toMatchObject({
      event: "stage",
      who: "a operator",
      about: { flow: "keeps", from: "shadow", to: "legacy", why: "a test" },
    });
  });
});

describe("keys", () => {
  test("are stored as hashes, and nowhere as they are", async () => {
    const db = await app.harness.database();
    const rows = JSON.stringify(await db.query("select k::text from twintrack.api_keys k"));
    const snapshot = readFileSync(join(app.config.dataDir, "keys.json"), "utf8");
    for (const key of keys.values()) {
      const secret = key.slice("tt_0123456789ab_".length);
      expect(rows + snapshot).not.toContain(secret);
    }
    expect(statSync(join(app.config.dataDir, "keys.json")).mode & 0o777).toBe(0o600);
    expect((await listKeys(db)).map(({ role }) => role).sort()).toEqual([...ROLES].sort());
  });

  test("that are revoked end within seconds, and their revocation is in the audit", async () => {
    const db = await app.harness.database();
    const request = { name: "gone soon", role: "viewer" as const, expiresAt: null, who: "ann" };
    const { key, id } = await addKey(db, request);
    await vi.waitFor(async () => expect(await ask("GET /api/report", key)).toBe(200), 5_000);
    expect(await revokeKey(db, id, "ann")).toBe(true);
    await vi.waitFor(
      async () => expect([401, 429]).toContain(await ask("GET /api/report", key)),
      5_000,
    );
    expect(await revokeKey(db, id, "ann")).toBe(false);
    const [line] = await auditLines(db, 1);
    expect(line).toMatchObject({ event: "key_revoked", who: "ann", about: { id } });
  });

  test("that are guessed are refused with 429 after a while; a right one still passes", async () => {
    const guesses = Array.from({ length: 30 }, () => newKey().key);
    const statuses: number[] = [];
    for (const guess of guesses) statuses.push(await ask("GET /api/report", guess));
    expect(statuses.at(-1)).toBe(429);
    expect(new Set(statuses)).toSatisfy((seen: Set<number>) =>
      [...seen].every((status) => [401, 429].includes(status)),
    );
    expect(await ask("GET /api/report", keys.get("viewer"))).toBe(200);
  });

  test("tell a caller without one only whether the server is ready", async () => {
    const get = async (key?: string) =>
      (await fetch(`${server.url}/readyz`, {
        headers: key ? { authorization: `Bearer ${key}` } : {},
      }).then((response) => response.json())) as object;
    expect(Object.keys(await get())).toEqual(["ready"]);
    expect(await get(keys.get("viewer"))).toMatchObject({ database: { kind: "postgres" } });
  });
});

test.each([
  ["keys add", { role: "king", name: "x" }, "one of viewer"],
  ["keys add", { role: "viewer" }, "--name"],
  ["keys revoke", { id: "0123456789ab" }, "keys list"],
  ["audit verify", { head: "5" }, "audit head"],
])("%s with %j is refused with what would be right", async (command, args, hint) => {
  const { config, sides } = app.harness;
  const db = await app.harness.database();
  const execute = STORE_COMMANDS[command];
  await expect(execute?.({ config, db, sides }, { who: "ann", ...args })).rejects.toMatchObject({
    code: "USAGE",
    hint: expect.stringMatching(new RegExp(hint, "i")),
  });
});

describe.each(BACKENDS)("the key book on %s", (backend) => {
  let fresh: TestDatabase;
  let book: KeyBook;
  let now = Date.now();
  beforeAll(async () => {
    fresh = await freshDatabase(backend);
    book = openKeyBook(fresh.dataDir, () => now);
  });
  afterAll(() => fresh.drop());

  test("knows keys while the database is away, also after a start without it", async () => {
    const request = { name: "checkout", role: "ingest" as const, expiresAt: null, who: "ann" };
    const { key } = await addKey(fresh.db, request);
    expect(book.isUsed()).toBe(false);
    await book.refresh(fresh.db);
    const restarted = openKeyBook(fresh.dataDir);
    for (const one of [book, restarted]) {
      expect(one.isUsed()).toBe(true);
      expect(one.recordOf(key)).toMatchObject({ role: "ingest", name: "checkout" });
      expect(one.recordOf(`${key.slice(0, -1)}_`)).toBeUndefined();
    }
  });

  test("lets a key end at its time, and notes when it was used last", async () => {
    const expiresAt = new Date(now + 3_600_000).toISOString();
    const request = { name: "short", role: "viewer" as const, expiresAt, who: "ann" };
    const { key, id } = await addKey(fresh.db, request);
    await book.refresh(fresh.db);
    expect(book.recordOf(key)).toBeDefined();
    now += 61_000;
    await book.refresh(fresh.db);
    const used = (await listKeys(fresh.db)).find((row) => row.id === id);
    expect(used?.lastUsedAt).not.toBeNull();
    now += 3_600_000;
    expect(book.recordOf(key)).toBeUndefined();
  });
});

test("a server on every address starts when the store has a key, and not without", async () => {
  const bare = await startApp("postgres", CONFIG);
  try {
    await expect(serve(bare.harness, { host: "0.0.0.0", port: 0 })).rejects.toMatchObject({
      code: "BIND_REFUSED",
      hint: expect.stringContaining("twintrack keys add"),
    });
    const db = await bare.harness.database();
    await addKey(db, { name: "one", role: "viewer", expiresAt: null, who: "ann" });
    await bare.harness.keys.refresh(db);
    const open = await serve(bare.harness, { host: "0.0.0.0", port: 0 });
    await open.close();
  } finally {
    await bare.close();
  }
});

test("every command has a role of its own, or is admin's alone on purpose", () => {
  const unnamed = Object.keys(STORE_COMMANDS).filter((command) => !COMMAND_ROLES[command]);
  expect(unnamed.sort()).toEqual(["export raw", "keys add", "keys list", "keys revoke", "purge"]);
});
