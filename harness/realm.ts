/**
 * What all runs of a shadow process share and none may change: the built-in prototypes. A run that
 * changes one could make others look equal, or broken.
 */

const OWNERS: Readonly<Record<string, object>> = {
  "Object.prototype": Object.prototype,
  "Array.prototype": Array.prototype,
  "Function.prototype": Function.prototype,
  "String.prototype": String.prototype,
  "Number.prototype": Number.prototype,
  "Promise.prototype": Promise.prototype,
  "Map.prototype": Map.prototype,
  "Set.prototype": Set.prototype,
  "RegExp.prototype": RegExp.prototype,
  "Date.prototype": Date.prototype,
  "Error.prototype": Error.prototype,
  Object,
  Array,
  Promise,
  JSON,
  Math,
};

type Owner = Record<string | symbol, unknown>;
type Key = string | symbol;

/** What an owner had when it was accepted. */
interface Inventory {
  name: string;
  owner: Owner;
  data: [Key, value: unknown][];
  /** Setters are nobody's way to make others look equal. */
  accessors: [Key, getter: unknown][];
}

export interface Realm {
  /** What is there now is how it should be: code that has just been loaded may have added to it. */
  accept(): void;
  /** The first member that was changed, added or taken away since; undefined when none was. */
  changed(): string | undefined;
}

export function openRealm(): Realm {
  let inventories: Inventory[] = [];
  return {
    accept() {
      inventories = Object.entries(OWNERS).map(([name, owner]) =>
        inventoryOf(name, owner as Owner),
      );
    },
    changed() {
      for (const inventory of inventories) {
        const change = changeIn(inventory);
        if (change !== undefined) return change;
      }
      return undefined;
    },
  };
}

function inventoryOf(name: string, owner: Owner): Inventory {
  const data: Inventory["data"] = [];
  const accessors: Inventory["accessors"] = [];
  for (const key of Reflect.ownKeys(owner)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(owner, key);
    if (descriptor && "value" in descriptor) data.push([key, descriptor.value]);
    else accessors.push([key, descriptor?.get]);
  }
  return { name, owner, data, accessors };
}

/** It is asked after every trial: data is read, as to look at its descriptor takes five times as long. */
function changeIn({ name, owner, data, accessors }: Inventory): string | undefined {
  const changed =
    data.find(([key, value]) => owner[key] !== value) ??
    accessors.find(([key, getter]) => getterOf(owner, key) !== getter);
  if (changed) return `${name}.${String(changed[0])}`;
  const isWhole = Reflect.ownKeys(owner).length === data.length + accessors.length;
  return isWhole ? undefined : name;
}

function getterOf(owner: Owner, key: Key): unknown {
  return Reflect.getOwnPropertyDescriptor(owner, key)?.get;
}
