/** Which fields hold secrets by their name, however it is written: `apiKey`, `api_key`, `X-API-Key`. */

/** Without separators, in lower case. A name that ends in one of them counts: `stripeSecretKey`. */
const ENDINGS = [
  ...["password", "passwd", "pwd", "passphrase", "passcode"],
  ...["secret", "secretkey", "token", "apikey", "apisecret", "accesskey", "privatekey"],
  ...["signingkey", "encryptionkey", "masterkey", "authorization", "cookie", "sessionid"],
  ...["credential", "credentials", "connectionstring", "jwt", "otp", "mnemonic", "seedphrase"],
  ...["ssn", "socialsecuritynumber", "socialsecurity", "taxid", "nationalid", "passportnumber"],
  ...["cvv", "cvc", "cvv2", "securitycode", "cardnumber", "creditcard", "creditcardnumber"],
  ...["iban", "accountnumber", "bankaccount", "routingnumber", "sortcode", "driverslicense"],
  ...["dateofbirth", "birthdate", "mothersmaidenname", "pincode"],
];
/** Too short or too common to be looked for at an end. */
const WHOLE = ["pin", "pan", "dob", "auth", "passport"];

export type IsSecretField = (name: string) => boolean;

/** @param more names of the user's own */
export function secretFields(more: readonly string[]): IsSecretField {
  const endings = new Set([...ENDINGS, ...more.map(joined)]);
  const whole = new Set(WHOLE);
  const known = new Map<string, boolean>();
  const decide = (name: string) => {
    if (whole.has(joined(name))) return true;
    const words = wordsOf(name);
    // The last words in every length: `db_password`, `stripe secret key`.
    return words.some((_, from) => endings.has(words.slice(from).join("")));
  };
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const answer = name.length <= MAX_NAME && decide(name);
    if (known.size < MAX_KNOWN) known.set(name, answer);
    return answer;
  };
}

/** A longer key is data. */
const MAX_NAME = 200;
/** Keys that are data must not fill the memory. */
const MAX_KNOWN = 10_000;

function joined(name: string): string {
  return wordsOf(name).join("");
}

function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase());
}
