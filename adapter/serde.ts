/** A checkpointer's own serialiser, with its results as text that JSON can carry. */

/** What a LangGraph checkpointer stores its values with. */
export interface Serde {
  dumpsTyped(value: unknown): Typed | Promise<Typed>;
  loadsTyped(type: string, data: Uint8Array | string): unknown;
}

type Typed = [type: string, data: Uint8Array];

export async function packed(serde: Serde, value: unknown): Promise<string> {
  const [type, data] = await serde.dumpsTyped(value);
  return `${type}:${Buffer.from(data).toString("base64")}`;
}

export async function unpacked(serde: Serde, text: string): Promise<unknown> {
  const colon = text.indexOf(":");
  return serde.loadsTyped(text.slice(0, colon), Buffer.from(text.slice(colon + 1), "base64"));
}

/** The same for `MemorySaver`, which forgets the type and says `json` of everything. */
export function typed(serde: Serde): Serde {
  return {
    dumpsTyped: async (value) => ["json", Buffer.from(await packed(serde, value))],
    loadsTyped: (_type, data) => unpacked(serde, Buffer.from(data as Uint8Array).toString()),
  };
}
