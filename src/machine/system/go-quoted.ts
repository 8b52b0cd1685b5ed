// Words that Go's programs put in quotes in their logs (runc, skopeo): strconv.Quote's rules, which are not JSON's.

const ESCAPE = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{3})|([abfnrtv\\"']))/gi;
const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The first `msg="..."` of a log line, without quotes and escapes; undefined where there is none. */
export function quotedMessage(line: string): string | undefined {
  const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  return quoted?.replace(ESCAPE, (whole, hex, short, long, octal, letter: string | undefined) => {
    if (letter !== undefined) return LETTERS[letter] ?? letter;
    const code = octal === undefined ? Number.parseInt(hex ?? short ?? long, 16) : Number.parseInt(octal, 8);
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}
