/** The oldest Node that runs this. Nothing is imported here: an older one has to be able to read it. */
export const MIN_NODE = [22, 18] as const;

export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1]);
}

/** What to say of it, and what to do. */
export function tooOld(version: string): { message: string; hint: string } {
  const needed = MIN_NODE.join(".");
  return {
    message: `Twintrack needs Node ${needed} or newer, and this is Node ${version} (${process.execPath})`,
    hint: `Install Node ${needed} or newer and put it first in PATH.`,
  };
}
