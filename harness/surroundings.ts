/**
 * What all runs of a shadow process share besides memory: environment variables, and with them the
 * time zone, the working directory, the umask and the title. What a run leaves behind there would be
 * found by the next.
 */
import { syncBuiltinESMExports } from "node:module";

export interface Surroundings {
  /** What is there now is how it should be: code that has just been loaded may have set it. */
  accept(): void;
  /** The first thing that is not as it was accepted; undefined when all is. Never a value. */
  changed(): string | undefined;
}

/** Watches from now on; before any code of the user's is loaded. */
export function openSurroundings(): Surroundings {
  const variables = watchVariables();
  let others = look();
  return {
    accept() {
      variables.clear();
      others = look();
    },
    changed() {
      for (const [name, value] of variables)
        if (process.env[name] !== value) return `process.env.${name}`;
      const now = look();
      return Object.keys(now).find((what) => now[what] !== others[what]);
    },
  };
}

function look(): Record<string, string> {
  return {
    "the working directory": workingDirectory(),
    "the umask": String(process.umask()),
    "the title of the process": process.title,
  };
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return ""; // It was deleted.
  }
}

/**
 * What each variable was that has been written to. To read all of them after each run would cost more
 * than most runs do.
 */
function watchVariables(): Map<string, string | undefined> {
  const before = new Map<string, string | undefined>();
  const { env } = process;
  const note = (name: string | symbol) => {
    if (typeof name === "string" && !before.has(name)) before.set(name, env[name]);
  };
  process.env = new Proxy(env, {
    set(target, name, value) {
      note(name);
      return Reflect.set(target, name, value);
    },
    deleteProperty(target, name) {
      note(name);
      return Reflect.deleteProperty(target, name);
    },
    defineProperty(target, name, descriptor) {
      note(name);
      return Reflect.defineProperty(target, name, descriptor);
    },
  });
  const { loadEnvFile } = process;
  process.loadEnvFile = (path) => {
    const were = { ...env };
    loadEnvFile.call(process, path); // It writes past the object.
    for (const name of Object.keys(env))
      if (env[name] !== were[name] && !before.has(name)) before.set(name, were[name]);
  };
  syncBuiltinESMExports();
  return before;
}
