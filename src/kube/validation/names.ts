// Kubernetes' rules for names, labels and annotations, with apimachinery's messages (k8s.io/apimachinery
// pkg/util/validation). A rule is a function from a value to what is wrong with it.

export type Rule = (value: string) => readonly string[];

function regexError(message: string, pattern: string, ...examples: string[]): string {
  // Two blanks: that is how apimachinery writes it.
  const list = examples.map((example) => `'${example}'`).join(',  or ');
  return `${message} (e.g. ${list}, regex used for validation is '${pattern}')`;
}

function patternRule(lengthMax: number, pattern: string, message: string): Rule {
  const regex = new RegExp(`^${pattern}$`);
  return (value) => [
    ...(value.length > lengthMax ? [`must be no more than ${lengthMax} bytes`] : []),
    ...(regex.test(value) ? [] : [message]),
  ];
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;

export const dnsLabel: Rule = patternRule(
  63,
  LABEL,
  regexError(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    LABEL,
    'my-name',
    '123-abc',
  ),
);

/** What RBAC's objects are called: anything that can stand between two slashes of a path. */
export const pathSegment: Rule = (name) => [
  ...(['.', '..'].includes(name) ? [`may not be '${name}'`] : []),
  ...['/', '%'].flatMap((one) => (name.includes(one) ? [`may not contain '${one}'`] : [])),
];

export const dnsSubdomain: Rule = patternRule(
  253,
  SUBDOMAIN,
  regexError(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    SUBDOMAIN,
    'example.com',
  ),
);

const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const qualifiedPart = patternRule(
  63,
  QUALIFIED,
  regexError(
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    QUALIFIED,
    'MyName',
    'my.name',
    '123-abc',
  ),
);

/** A label's or annotation's key: an optional DNS subdomain and "/", then a name. */
export const qualifiedName: Rule = (value) => {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [
      `a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const [prefix, name = ''] = parts.length === 2 ? parts : [undefined, parts[0]];
  const prefixErrors =
    prefix === undefined
      ? []
      : prefix === ''
        ? ['prefix part must be non-empty']
        : dnsSubdomain(prefix).map((message) => `prefix part ${message}`);
  return [...prefixErrors, ...(name === '' ? ['name part must be non-empty'] : []), ...qualifiedPart(name)];
};

const LABEL_VALUE = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
export const labelValue: Rule = patternRule(
  63,
  LABEL_VALUE,
  regexError(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    LABEL_VALUE,
    'MyValue',
    'my_value',
    '12345',
  ),
);

/** Environment variables: any printable ASCII but "=" (RelaxedEnvironmentVariableValidation, GA 1.34). */
export const envVarName: Rule = (value) =>
  value !== '' && /^[ -<>-~]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

const CONFIG_KEY = '[-._a-zA-Z0-9]+';
/** A key in a ConfigMap or Secret: it becomes a file name. */
export const configMapKey: Rule = (value) => [
  ...patternRule(
    253,
    CONFIG_KEY,
    regexError(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
      CONFIG_KEY,
      'key.name',
      'KEY_NAME',
      'key-name',
    ),
  )(value),
  ...(value === '.' || value === '..' ? [`must not be '${value}'`] : []),
  ...(value.startsWith('..') && value !== '..' ? ["must not start with '..'"] : []),
];

/** IANA service names, as container ports have them. */
export const portName: Rule = (value) => [
  ...(value.length > 15 ? ['must be no more than 15 characters'] : []),
  ...(/^[-a-z0-9]+$/.test(value)
    ? []
    : ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)']),
  ...(/[a-z]/.test(value) ? [] : ['must contain at least one letter (a-z)']),
  ...(value.includes('--') ? ['must not contain consecutive hyphens'] : []),
  ...(value.startsWith('-') || value.endsWith('-') ? ['must not begin or end with a hyphen'] : []),
];
