/** Describes the schema `twintrack` as text, the same on every Postgres: what `test/schema.sql` holds. */
import type { Database } from "../harness/store/database.ts";

interface Line {
  line: string;
}

export async function describeSchema(db: Database): Promise<string> {
  const tables = await db.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'twintrack' order by 1",
  );
  const parts: string[] = [];
  for (const { name } of tables) parts.push(await describeTable(db, name));
  return `${parts.join("\n\n")}\n`;
}

async function describeTable(db: Database, table: string): Promise<string> {
  const columns = await db.query<Line>(
    `select format('  %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
       case when a.attnotnull then ' not null' else '' end,
       coalesce(case when a.attidentity = 'a' then ' generated always as identity'
         else ' default ' || pg_get_expr(d.adbin, d.adrelid) end, '')) as line
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = ('twintrack.' || $1)::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table],
  );
  // Not-null constraints became named rows in Postgres 18; the columns above say them already.
  const constraints = await db.query<Line>(
    `select format('  %s', pg_get_constraintdef(oid)) as line from pg_constraint
     where conrelid = ('twintrack.' || $1)::regclass and contype <> 'n' order by contype desc, 1`,
    [table],
  );
  const indexes = await db.query<Line>(
    `select indexdef || ';' as line from pg_indexes where schemaname = 'twintrack' and tablename = $1
     and indexname not in (select conname from pg_constraint) order by 1`,
    [table],
  );
  const body = [...columns, ...constraints].map((row) => row.line).join(",\n");
  return [`create table twintrack.${table} (\n${body}\n);`, ...indexes.map((row) => row.line)].join(
    "\n",
  );
}
