/** Which wrapped tools clients call over MCP, and when they last did. */
import type { Database } from "./database.ts";

export async function noteMcpTool(db: Database, tool: string): Promise<void> {
  await db.query(
    `insert into twintrack.mcp_tools (tool) values ($1)
     on conflict (tool) do update set last_seen = now()`,
    [tool],
  );
}

export async function mcpToolsSince(
  db: Database,
  days: number,
): Promise<{ tool: string; lastAt: string }[]> {
  const rows = await db.query<{ tool: string; lastSeen: Date }>(
    `select tool, last_seen as "lastSeen" from twintrack.mcp_tools
     where last_seen > now() - $1::double precision * interval '1 day' order by tool`,
    [days],
  );
  return rows.map(({ tool, lastSeen }) => ({ tool, lastAt: lastSeen.toISOString().slice(0, 10) }));
}
