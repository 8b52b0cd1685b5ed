// $(NAME) in commands, arguments and values: replaced where NAME is known, left as it is where not; "$$" is a literal
// "$" and keeps the next parenthesis from being read.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/

const TOKEN = /\$(\$|\([^)]*\))/g;

export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(TOKEN, (whole, token: string) => {
    if (token === '$') return '$';
    return values.get(token.slice(1, -1)) ?? whole;
  });
}
