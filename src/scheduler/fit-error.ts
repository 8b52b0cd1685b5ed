// Why no node would do, in kube-scheduler's words (framework.FitError): what stands in the way, and how often.

/** `reasons` are of all nodes, one entry for each. */
export function fitError(nodeCount: number, reasons: Iterable<string>): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const texts = [...counts].map(([text, count]) => `${count} ${text}`).sort();
  return `0/${nodeCount} nodes are available: ${texts.join(', ')}.`;
}
