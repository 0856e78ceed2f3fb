/** Describes the schema `twintrack` as text, the same on every Postgres: what `test/schema.sql` holds. */
import type { Database } from "../harness/store/database.ts";

interface Table {
  name: string;
  /** How it is divided; null when it is not. Its parts are not described: they depend on the date. */
  parts: string | null;
}

interface Line {
  line: string;
}

export async function describeSchema(db: Database): Promise<string> {
  const tables = await db.query<Table>(
    `select relname as name, pg_get_partkeydef(oid) as parts from pg_class
     where relnamespace = 'twintrack'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1`,
  );
  const parts: string[] = [];
  for (const table of tables) parts.push(await describeTable(db, table));
  return `${parts.join("\n\n")}\n`;
}

async function describeTable(db: Database, { name: table, parts }: Table): Promise<string> {
  const columns = await db.query<Line>(
    `select format('  %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
       case when a.attnotnull then ' not null' else '' end,
       coalesce(case when a.attidentity = 'a' then ' generated always as identity'
         when a.attgenerated = 's' then ' generated always as (' || regexp_replace(pg_get_expr(d.adbin, d.adrelid), '[[:space:]]+', ' ', 'g') || ') stored'
         else ' default ' || pg_get_expr(d.adbin, d.adrelid) end, '')) as line
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = ('twintrack.' || $1)::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table],
  );
  // Not-null constraints became named rows in Postgres 18; the columns above say them already.
  // A part refers to a part: the default one stands for all of them.
  const constraints = await db.query<Line>(
    `select format('  %s', pg_get_constraintdef(oid)) as line from pg_constraint
     where conrelid = ('twintrack.' || $1)::regclass and contype <> 'n' and conparentid = 0
       or conrelid = to_regclass('twintrack.' || $1 || '_default') and contype = 'f' order by contype desc, 1`,
    [table],
  );
  const indexes = await db.query<Line>(
    `select replace(indexdef, ' ON ONLY ', ' ON ') || ';' as line from pg_indexes where schemaname = 'twintrack' and tablename = $1
     and indexname not in (select conname from pg_constraint) order by 1`,
    [table],
  );
  const body = [...columns, ...constraints].map((row) => row.line).join(",\n");
  const divided = parts === null ? "" : ` partition by ${parts.toLowerCase()}`;
  const created = `create table twintrack.${table} (\n${body}\n)${divided};`;
  return [created, ...indexes.map((row) => row.line)].join("\n");
}
