// Keys that a JSON text gives twice in one object: JSON.parse keeps the last and tells nobody.

type Level = { readonly keys: Set<string> | undefined; step: string | number };

function pathText(levels: readonly Level[]): string {
  return levels.reduce((text, { step }) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;

/** Paths as "spec.containers[0].name", each once. The text is known to parse. */
export function duplicateKeys(text: string): readonly string[] {
  const levels: Level[] = [];
  const found = new Set<string>();
  let isKey = false;
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    switch (token) {
      case '{':
        levels.push({ keys: new Set(), step: '' });
        isKey = true;
        break;
      case '[':
        levels.push({ keys: undefined, step: 0 });
        isKey = false;
        break;
      case '}':
      case ']':
        levels.pop();
        isKey = false;
        break;
      case ',':
        if (typeof level?.step === 'number') level.step += 1;
        isKey = level?.keys !== undefined;
        break;
      default:
        if (!isKey || level?.keys === undefined) break;
        level.step = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
        if (level.keys.has(level.step)) found.add(pathText(levels));
        level.keys.add(level.step);
        isKey = false;
    }
  }
  return [...found];
}
