/** What a client of a server process can do beside calling: take a call back, and hear of another list. */
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterEach, expect, test, vi } from "vitest";

const opened: Client[] = [];

afterEach(async () => {
  for (const client of opened.splice(0)) await client.close();
});

async function connected(settings: object): Promise<Client> {
  const script = fileURLToPath(new URL("serve-stdio.ts", import.meta.url));
  const client = new Client({ name: "test", version: "1" }, settings);
  opened.push(client);
  const child = { command: process.execPath, args: [script], stderr: "ignore" as const };
  await client.connect(new StdioClientTransport(child));
  return client;
}

const call = (client: Client, name: string, options = {}) =>
  client.callTool({ name, arguments: {} }, options);

test.each([
  ["2025-11-25", {}],
  ["2026-07-28", { versionNegotiation: { mode: "auto" as const } }],
])(
  "over stdio, %s: a cancelled call is stopped in the tool, and a changed list is heard of",
  async (_, settings) => {
    const heard = Promise.withResolvers<void>();
    const tools = { autoRefresh: false, debounceMs: 0, onChanged: () => heard.resolve() };
    const client = await connected({ ...settings, listChanged: { tools } });
    const caller = new AbortController();
    const waiting = call(client, "wait", { signal: caller.signal });
    // Answered in order: once this one is, the tool that waits was started.
    await call(client, "stopped");
    caller.abort();

    await expect(waiting).rejects.toThrow();
    await vi.waitFor(
      async () => expect((await call(client, "stopped")).structuredContent).toEqual({ stops: 1 }),
      { timeout: 30_000 },
    );
    await call(client, "grow");
    await heard.promise;
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain("grown");
  },
);
