/**
 * A prepared empty PGlite folder. A new one takes two seconds of initdb in WebAssembly; copying a
 * prepared one takes a tenth of that. The template rests in the user's cache folder.
 */
import { cp, mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";

/** Makes `folder` an empty database. Without a writable cache PGlite initialises the folder itself. */
export async function copyTemplate(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const template = await templateFolder().catch(() => undefined);
  if (template === undefined) return;
  const copy = await mkdtemp(`${folder}.new-`);
  await cp(template, copy, { recursive: true });
  await rename(copy, folder);
}

async function templateFolder(): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const template = join(cache, "twintrack", `pglite-${pgliteVersion()}`);
  if (await exists(template)) return template;
  await mkdir(dirname(template), { recursive: true });
  const fresh = await mkdtemp(`${template}.new-`);
  await (await PGlite.create({ dataDir: fresh })).close();
  // Whoever renames first wins; the others use that one.
  await rename(fresh, template).catch(() => rm(fresh, { recursive: true, force: true }));
  return template;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function pgliteVersion(): string {
  const require = createRequire(import.meta.url);
  const entry = require.resolve("@electric-sql/pglite");
  const manifest = join(dirname(dirname(entry)), "package.json");
  return String((require(manifest) as { version: unknown }).version);
}
