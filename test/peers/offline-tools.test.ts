/** Tools nobody here wrote, of LangChain's own packages: what we serve equals what they say themselves. */
import { expect, test } from "vitest";
import { toolServer } from "../../adapter/in-process.ts";
import { textOf } from "../../core/tool.ts";

const PEERS = new URL("node_modules/@langchain/", import.meta.url);

/** One export of a package that the tests, and not the project, have. */
async function from<T>(file: string, name: string): Promise<T> {
  const module = (await import(new URL(file, PEERS).href)) as Record<string, T>;
  const found = module[name];
  if (found === undefined) throw new Error(`${file} does not export ${name}`);
  return found;
}

interface Called {
  name: string;
  schema: unknown;
  invoke(input: object): Promise<unknown>;
}

type Tools = readonly Called[];
type Build = () => Promise<{ tools: Tools; calls: Record<string, Record<string, string>> }>;

async function calculator(): Promise<Awaited<ReturnType<Build>>> {
  type Class = new () => Called;
  const Calculator = await from<Class>("community/dist/tools/calculator.js", "Calculator");
  return { tools: [new Calculator()], calls: { calculator: { input: "2 * (3 + 4)" } } };
}

async function jsonToolkit(): Promise<Awaited<ReturnType<Build>>> {
  type Class = new (object: object) => object;
  const JsonSpec = await from<Class>("classic/dist/tools/json.js", "JsonSpec");
  type Toolkit = new (spec: object) => { tools: Tools };
  const file = "classic/dist/agents/toolkits/json/json.js";
  const JsonToolkit = await from<Toolkit>(file, "JsonToolkit");
  const toolkit = new JsonToolkit(new JsonSpec({ shop: { lamps: [{ cents: 1295 }] } }));
  return {
    tools: toolkit.tools,
    calls: {
      json_list_keys: { input: "/shop" },
      json_get_value: { input: "/shop/lamps/0/cents" },
    },
  };
}

async function files(): Promise<Awaited<ReturnType<Build>>> {
  const Store = await from<new () => object>(
    "classic/dist/stores/file/in_memory.js",
    "InMemoryFileStore",
  );
  type Class = new (fields: object) => Called;
  const ReadFileTool = await from<Class>("classic/dist/tools/fs.js", "ReadFileTool");
  const WriteFileTool = await from<Class>("classic/dist/tools/fs.js", "WriteFileTool");
  const store = new Store();
  return {
    tools: [new WriteFileTool({ store }), new ReadFileTool({ store })],
    calls: { write_file: { file_path: "a.txt", text: "hello" }, read_file: { file_path: "a.txt" } },
  };
}

async function retriever(): Promise<Awaited<ReturnType<Build>>> {
  type Embed = new (fields: object) => object;
  const file = "core/dist/utils/testing/index.js";
  const SyntheticEmbeddings = await from<Embed>(file, "SyntheticEmbeddings");
  interface Store {
    fromTexts(
      texts: string[],
      metadata: object[],
      embeddings: object,
    ): Promise<{ asRetriever(k: number): object }>;
  }
  const MemoryVectorStore = await from<Store>(
    "classic/dist/vectorstores/memory.js",
    "MemoryVectorStore",
  );
  const embeddings = new SyntheticEmbeddings({ vectorSize: 8 });
  const texts = ["lamps give light", "chairs are sat on"];
  const store = await MemoryVectorStore.fromTexts(texts, [{ id: 1 }, { id: 2 }], embeddings);
  type Create = (retriever: object, fields: object) => Called;
  const create = await from<Create>("classic/dist/tools/retriever.js", "createRetrieverTool");
  const tool = create(store.asRetriever(2), { name: "search", description: "finds furniture" });
  return { tools: [tool], calls: { search: { query: "what gives light?" } } };
}

async function sql(): Promise<Awaited<ReturnType<Build>>> {
  const typeorm = new URL("node_modules/typeorm/index.mjs", import.meta.url);
  interface DataSource {
    initialize(): Promise<DataSource>;
    query(sql: string): Promise<unknown>;
  }
  const { DataSource } = (await import(typeorm.href)) as {
    DataSource: new (options: object) => DataSource;
  };
  const source = await new DataSource({ type: "sqljs" }).initialize();
  await source.query("create table lamp (id integer primary key, cents integer)");
  await source.query("insert into lamp values (1, 1295), (2, 990)");
  interface Database {
    fromDataSourceParams(fields: object): Promise<object>;
  }
  const SqlDatabase = await from<Database>("classic/dist/sql_db.js", "SqlDatabase");
  const db = await SqlDatabase.fromDataSourceParams({ appDataSource: source });
  const file = "classic/dist/tools/sql.js";
  type Class = new (db: object) => Called;
  const [Query, Info, List] = await Promise.all(
    ["QuerySqlTool", "InfoSqlTool", "ListTablesSqlTool"].map((name) => from<Class>(file, name)),
  );
  if (!Query || !Info || !List) throw new Error("classic has no SQL tools");
  return {
    tools: [new Query(db), new Info(db), new List(db)],
    calls: {
      "query-sql": { input: "select sum(cents) as cents from lamp" },
      "info-sql": { input: "lamp" },
      "list-tables-sql": { input: "" },
    },
  };
}

test.each<[string, Build]>([
  ["the calculator", calculator],
  ["the JSON toolkit", jsonToolkit],
  ["files in memory", files],
  ["a retriever over vectors", retriever],
  ["the SQL tools", sql],
])("%s: listed, and each call equals a direct one", async (_, build) => {
  const { tools, calls } = await build();
  const server = toolServer(tools);

  expect(await server.unsupported()).toEqual([]);
  expect((await server.listTools()).map(({ originalName }) => originalName).toSorted()).toEqual(
    Object.keys(calls).toSorted(),
  );
  for (const [name, args] of Object.entries(calls)) {
    const tool = tools.find((one) => one.name === name);
    const direct = await tool?.invoke(args);
    const served = await server.callTool(name, args);

    expect(served.isError ?? false, name).toBe(false);
    expect(textOf(served), name).toBe(typeof direct === "string" ? direct : JSON.stringify(direct));
    expect(textOf(served), name).not.toBe("");
  }
});
