// What the engine counts: named counters, histograms and gauges, shown as Prometheus text when somebody asks. It knows no
// name; who counts something defines it beside the code that does.
//
// prom-client does the arithmetic and the text. It takes 40 ms to load, so it is loaded when it is first needed: until
// then observations wait in order, and nothing is lost.
import type { Registry } from 'prom-client';
import { BOUNDS } from './bounds.ts';

type Labels = { readonly [name: string]: string };
export type Sample = { readonly labels?: Labels; readonly value: number };

/** One name with its samples, ready to be shown. */
export type Family = {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
};

type Definition = { readonly name: string; readonly help: string; readonly labels?: readonly string[] };
type HistogramDefinition = Definition & { readonly buckets: readonly number[] };
type GaugeDefinition = Pick<Definition, 'name' | 'help'>;

export type Figures = {
  /** Gives what adds to the counter: 1 unless said otherwise. */
  counter(definition: Definition): (labels?: Labels, value?: number) => void;
  histogram(definition: HistogramDefinition): (labels: Labels, value: number) => void;
  /** Read whenever somebody asks. Several of one name and equal labels are added up. Returns the undo. */
  gauge(definition: GaugeDefinition, read: () => readonly Sample[]): () => void;
  /** Prometheus text; `prefix` keeps the names that begin so. */
  text(prefix?: string): Promise<string>;
};

/** The media type of the text, as every Prometheus reads it. */
export const FIGURES_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Observation = {
  readonly definition: Definition | HistogramDefinition;
  readonly labels: Labels;
  readonly value: number;
};
type Loaded = { readonly registry: Registry; readonly take: (observation: Observation) => void };

async function load(): Promise<Loaded> {
  const { Counter, Histogram, Registry } = await import('prom-client');
  const registry = new Registry();
  const takerOf = (definition: Observation['definition']): ((labels: Labels, value: number) => void) => {
    const { name, help, labels = [] } = definition;
    const common = { name, help, labelNames: [...labels], registers: [registry] };
    if ('buckets' in definition) {
      const histogram = new Histogram({ ...common, buckets: [...definition.buckets] });
      return (given, value) => histogram.observe(given, value);
    }
    const counter = new Counter(common);
    return (given, value) => counter.inc(given, value);
  };
  const takers = new Map<string, ReturnType<typeof takerOf>>();
  const take = ({ definition, labels, value }: Observation): void => {
    const taker = takers.get(definition.name) ?? takerOf(definition);
    takers.set(definition.name, taker);
    taker(labels, value);
  };
  return { registry, take };
}

export function createFigures(): Figures {
  const gauges = new Map<string, { readonly help: string; readonly reads: Set<() => readonly Sample[]> }>();
  const waiting: Observation[] = [];
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;
  const ready = async (): Promise<Loaded> => {
    loading ??= load();
    loaded = await loading;
    for (const observation of waiting.splice(0)) loaded.take(observation);
    return loaded;
  };
  const note = (observation: Observation): void => {
    loaded?.take(observation);
    if (loaded !== undefined) return;
    waiting.push(observation);
    if (waiting.length === BOUNDS.waitingObservations) void ready();
  };
  return {
    counter:
      (definition) =>
      (labels = {}, value = 1) =>
        note({ definition, labels, value }),
    histogram: (definition) => (labels, value) => note({ definition, labels, value }),
    gauge: ({ name, help }, read) => {
      const known = gauges.get(name) ?? { help, reads: new Set() };
      gauges.set(name, known);
      known.reads.add(read);
      return () => void known.reads.delete(read);
    },
    text: async (prefix = '') => {
      const { registry } = await ready();
      const counted = registry.getMetricsAsArray().filter(({ name }) => name.startsWith(prefix));
      const texts = counted.map(({ name }) => registry.getSingleMetricAsString(name));
      const families = [...gauges]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, { help, reads }]): Family => {
          return { name, help, type: 'gauge', samples: [...reads].flatMap((read) => read()) };
        });
      return [...(await Promise.all(texts)), await familiesText(families)]
        .map((text) => `${text.trimEnd()}\n`)
        .join('');
    },
  };
}

/** Figures that are kept elsewhere, such as in the kernel, as Prometheus text. */
export async function familiesText(families: readonly Family[]): Promise<string> {
  const { Counter, Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  for (const { name, help, type, samples } of families) {
    const labelNames = [...new Set(samples.flatMap(({ labels = {} }) => Object.keys(labels)))];
    const definition = { name, help, labelNames, registers: [registry] };
    if (type === 'gauge') {
      const gauge = new Gauge(definition);
      for (const { labels = {}, value } of samples) gauge.inc(labels, value);
    } else {
      const counter = new Counter(definition);
      for (const { labels = {}, value } of samples) counter.inc(labels, value);
    }
  }
  return registry.metrics();
}

/** This process' own, as every part of it counts into. */
export const figures: Figures = createFigures();
