/**
 * The file beside `module` with which a process or a thread of ours begins: TypeScript among the
 * sources, JavaScript in a build.
 *
 * @param module its `import.meta.url`
 */
export function entryBeside(module: string, name: string): URL {
  return new URL(`./${name}.${module.endsWith(".ts") ? "ts" : "js"}`, module);
}
