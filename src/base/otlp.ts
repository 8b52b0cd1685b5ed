// Sends spans to an OpenTelemetry collector: OTLP over HTTP with JSON, set up by OpenTelemetry's own environment
// variables. Only loaded where an endpoint is named.
// https://opentelemetry.io/docs/specs/otlp/ and https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
//
// Invariant: the work that is measured never waits for the collector. What it does not take, or not in time, is dropped
// and said, once until it takes something again.
import { createHash, randomBytes } from 'node:crypto';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { BOUNDS } from './bounds.ts';
import type { Clock } from './clock.ts';
import { errorText, PodwrightError } from './errors.ts';
import type { Log } from './log.ts';
import type { Span, Spans } from './spans.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export type OtlpTarget = {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
};

/** "key=value,key2=value2", percent-encoded. */
function pairsOf(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new PodwrightError('InvalidInput', `OTEL_EXPORTER_OTLP_HEADERS: want key=value: ${pair}`);
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}

/** Undefined where none is wanted. Throws InvalidInput for what cannot be served. */
export function otlpTarget(env: Environment): OtlpTarget | undefined {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const text = own || (base ? `${base.replace(/\/$/, '')}/v1/traces` : undefined);
  if (text === undefined || env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none')
    return undefined;
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/json';
  if (protocol !== 'http/json')
    throw new PodwrightError(
      'InvalidInput',
      `OTEL_EXPORTER_OTLP_PROTOCOL: ${protocol}: only http/json is spoken`,
    );
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new PodwrightError(
      'InvalidInput',
      `OTEL_EXPORTER_OTLP_ENDPOINT: want http://HOST:PORT, not ${text}`,
    );
  const headers = pairsOf(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS ?? env.OTEL_EXPORTER_OTLP_HEADERS ?? '');
  return { url, headers, serviceName: env.OTEL_SERVICE_NAME || 'podwright' };
}

/** All of a pod's spans are one trace: its uid has as many digits as a trace's id. */
export function traceIdOf(subject: string): string {
  const digits = subject.replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(digits)) return digits;
  return createHash('sha256').update(subject).digest('hex').slice(0, 32);
}

const STATUS_ERROR = 2;
const KIND_INTERNAL = 1;
const nanoText = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);
const attribute = (key: string, value: string) => ({ key, value: { stringValue: value } });

function otlpSpan({ subject, name, startMs, endMs, outcome }: Span) {
  return {
    traceId: traceIdOf(subject),
    spanId: randomBytes(8).toString('hex'),
    name,
    kind: KIND_INTERNAL,
    startTimeUnixNano: nanoText(startMs),
    endTimeUnixNano: nanoText(endMs),
    attributes: [attribute('k8s.pod.uid', subject)],
    status: outcome === 'ok' ? {} : { code: STATUS_ERROR },
  };
}

/** An ExportTraceServiceRequest. */
export function otlpRequest(list: readonly Span[], serviceName: string) {
  const resource = { attributes: [attribute('service.name', serviceName)] };
  const scopeSpans = [{ scope: { name: 'podwright' }, spans: list.map(otlpSpan) }];
  return { resourceSpans: [{ resource, scopeSpans }] };
}

function post({ url, headers }: OtlpTarget, body: string): Promise<void> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    signal: AbortSignal.timeout(BOUNDS.otlpTimeoutMs),
  };
  return new Promise((resolve, reject) => {
    const outgoing = send(url, options, (response) => {
      response.resume();
      const code = response.statusCode ?? 0;
      if (code >= 200 && code < 300) resolve();
      else reject(new Error(`HTTP ${code}`));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export type OtlpExport = {
  /** Sends what is left, within the bound of one request. */
  stop(): Promise<void>;
};

export function exportSpans(
  spans: Spans,
  target: OtlpTarget,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): OtlpExport {
  let waiting: Span[] = [];
  let sending = Promise.resolve();
  let cancel: (() => void) | undefined;
  let complained = false;
  const complain = (why: string, dropped: number): void => {
    if (!complained) log.warn('spans are dropped', { collector: target.url.href, why, spans: dropped });
    complained = true;
  };
  const flush = (): Promise<void> => {
    cancel?.();
    cancel = undefined;
    const list = waiting;
    waiting = [];
    sending = sending.then(async () => {
      if (list.length === 0) return;
      try {
        await post(target, JSON.stringify(otlpRequest(list, target.serviceName)));
        complained = false;
      } catch (error) {
        complain(errorText(error), list.length);
      }
    });
    return sending;
  };
  const unsubscribe = spans.subscribe((span) => {
    if (waiting.length >= BOUNDS.otlpSpans) return complain('too many wait', 1);
    waiting.push(span);
    cancel ??= clock.at(clock.nowMs() + BOUNDS.otlpDelayMs, () => void flush());
  });
  return {
    stop: () => {
      unsubscribe();
      return flush();
    },
  };
}
