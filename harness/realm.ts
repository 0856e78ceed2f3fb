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

interface Member {
  name: string;
  owner: object;
  key: string | symbol;
  value: unknown;
}

export interface Realm {
  /** What is there now is how it should be: code that has just been loaded may have added to it. */
  accept(): void;
  /** The first member that was changed, added or taken away since; undefined when none was. */
  changed(): string | undefined;
}

export function openRealm(): Realm {
  let members: Member[] = [];
  let counts = new Map<object, number>();
  return {
    accept() {
      members = Object.entries(OWNERS).flatMap(([name, owner]) => membersOf(name, owner));
      counts = new Map(
        Object.values(OWNERS).map((owner) => [owner, Reflect.ownKeys(owner).length]),
      );
    },
    changed() {
      const changed = members.find(({ owner, key, value }) => memberOf(owner, key) !== value);
      if (changed) return `${changed.name}.${String(changed.key)}`;
      const grown = Object.entries(OWNERS).find(
        ([, owner]) => Reflect.ownKeys(owner).length !== counts.get(owner),
      );
      return grown?.[0];
    },
  };
}

function membersOf(name: string, owner: object): Member[] {
  return Reflect.ownKeys(owner).map((key) => ({ name, owner, key, value: memberOf(owner, key) }));
}

/** Of an accessor its getter: nothing of the user's is run. */
function memberOf(owner: object, key: string | symbol): unknown {
  const descriptor = Reflect.getOwnPropertyDescriptor(owner, key);
  return descriptor && ("value" in descriptor ? descriptor.value : descriptor.get);
}
