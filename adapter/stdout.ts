/** This process's standard output, kept for one protocol. */
import { Writable } from "node:stream";

let protocolOut: Writable | undefined;

/**
 * Sends what anything in this process prints to stderr from now on, and keeps stdout for the
 * protocol. Call it before user modules are imported: some print while they load.
 */
export function claimStdout(): Writable {
  protocolOut ??= takeStdout();
  return protocolOut;
}

function takeStdout(): Writable {
  const write = process.stdout.write.bind(process.stdout);
  const out = new Writable({
    write: (chunk, _encoding, done) => void write(chunk, (error) => done(error)),
  });
  // Each large answer in flight waits for `drain`; that is no leak.
  out.setMaxListeners(0);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return out;
}
