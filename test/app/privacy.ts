/** Privacy with a key of the tests' own, for what is tested without a data folder. */
import { openPrivacy } from "../../harness/privacy/privacy.ts";

export const KEY = "dHdpbnRyYWNrIHRlc3RzIHVzZSB0aGlzIGtleSAhISE=";

export const PRIVACY = openPrivacy({ dataDir: "/dev/null", privacy: {} }, { TWINTRACK_KEY: KEY });

/** Seals nothing: what is read back may be opened with any key. */
export const PLAIN = openPrivacy(
  { dataDir: "/dev/null", privacy: { seal: false, mask: false } },
  {},
);
