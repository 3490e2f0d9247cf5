// Sends traces whose fate is known, through the OpenTelemetry JS SDK, and prints what it sent:
//
//   node client.js --endpoint URL --protocol grpc|http/protobuf|http/json --compression none|gzip --seed N [--traces N]
//
// One line of JSON on standard output: {"fates": {"error": [traceId...], ...}, "sent": base64 of an ExportTraceServiceRequest}.
// "sent" is the SDK's own protobuf encoding of every span, so a reader can compare what arrived with what left here.
// Exit code 1 when an export was not acknowledged.
'use strict';

const { parseArgs } = require('node:util');
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, createTraceState, trace } = require('@opentelemetry/api');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, AlwaysOnSampler } = require('@opentelemetry/sdk-trace-base');
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node');
const { ProtobufTraceSerializer } = require('@opentelemetry/otlp-transformer');

const { values: options } = parseArgs({
  options: {
    endpoint: { type: 'string' },
    protocol: { type: 'string', default: 'grpc' },
    compression: { type: 'string', default: 'none' },
    seed: { type: 'string', default: '1' },
    traces: { type: 'string', default: '4' },
  },
});

const exporters = {
  'grpc': () => require('@opentelemetry/exporter-trace-otlp-grpc').OTLPTraceExporter,
  'http/protobuf': () => require('@opentelemetry/exporter-trace-otlp-proto').OTLPTraceExporter,
  'http/json': () => require('@opentelemetry/exporter-trace-otlp-http').OTLPTraceExporter,
};

const failures = [];
const ended = [];

/** The SDK's exporter; remembers what was not acknowledged. */
function newExporter() {
  const Exporter = exporters[options.protocol]();
  const url = options.protocol === 'grpc' ? options.endpoint : new URL('/v1/traces', options.endpoint).href;
  const inner = new Exporter({ url, compression: options.compression, timeoutMillis: 20000 });
  return {
    export: (spans, done) => inner.export(spans, (result) => {
      if (result.code !== 0) {
        failures.push(String(result.error ?? 'unknown error'));
      }
      done(result);
    }),
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  };
}

/** IDs that depend on the seed only. */
class SeededIds {
  static #next = 1;
  static #hex(digits) {
    return (SeededIds.#next++).toString(16).padStart(digits, '0');
  }

  generateTraceId = () => Number(options.seed).toString(16).padStart(16, 'a') + SeededIds.#hex(16);
  generateSpanId = () => 'b' + SeededIds.#hex(15);
}

/** One service of the imagined system: its own resource, its own connection. */
function newService(name, attributes) {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': name, ...attributes }),
    sampler: new AlwaysOnSampler(),
    idGenerator: new SeededIds(),
    spanProcessors: [
      { onStart() {}, onEnd: (span) => ended.push(span), forceFlush: async () => {}, shutdown: async () => {} },
      new BatchSpanProcessor(newExporter(), { maxExportBatchSize: 7, scheduledDelayMillis: 50 }),
    ],
  });
  return { provider, tracer: provider.getTracer(`${name}-instrumentation`, '1.2.3'), other: provider.getTracer('db') };
}

const services = {
  frontend: newService('frontend', { 'service.version': '2.0', 'host.cpus': 8, 'deployment.tags': ['blue', 'grün'] }),
  checkout: newService('checkout', { 'process.pid': 4711 }),
  payment: newService('zahlung-支払い', { 'cloud.zone': 'eu-1b', 'feature.ratio': 0.25 }),
};

const everyKind = {
  'text': 'naïve 漢字 🚀 "quoted" \\ \u0001',
  'empty': '',
  'int': 42,
  'negative': -7,
  'large': 9007199254740991,
  'double': 3.141592653589793,
  'tiny': 5e-324,
  'yes': true,
  'no': false,
  'texts': ['a', '', 'ß'],
  'ints': [1, -2, 3],
  'doubles': [0.5, 1.25],
  'flags': [true, false],
  'ключ': 'значение',
};

const base = Date.now() - 60_000;

/** A trace over three services; `shape` says what makes it worth keeping, or nothing. */
function sendTrace(shape) {
  const parent = shape.traceState === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, {
    traceId: new SeededIds().generateTraceId(),
    spanId: new SeededIds().generateSpanId(),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: createTraceState(shape.traceState),
  });

  const root = services.frontend.tracer.startSpan(
    'GET /checkout/{id}', { kind: SpanKind.SERVER, startTime: base, attributes: { 'http.request.method': 'GET' } }, parent);
  const inRoot = trace.setSpan(parent, root);
  const call = services.frontend.tracer.startSpan('POST checkout', { kind: SpanKind.CLIENT, startTime: base + 1 }, inRoot);
  const order = services.checkout.tracer.startSpan(
    'PlaceOrder', { kind: SpanKind.SERVER, startTime: base + 2, attributes: everyKind }, trace.setSpan(inRoot, call));
  const inOrder = trace.setSpan(inRoot, order);
  const query = services.checkout.other.startSpan('SELECT orders', {
    kind: SpanKind.INTERNAL,
    startTime: base + 3,
    links: [{ context: root.spanContext(), attributes: { 'link.reason': 'cause', 'link.weight': 3 } }, { context: call.spanContext() }],
  }, inOrder);
  const charge = services.payment.tracer.startSpan(
    'Charge 💶', { kind: SpanKind.PRODUCER, startTime: base + 4, attributes: shape.attributes ?? {} }, inOrder);

  order.addEvent('cart.read', { 'items': 3, 'codes': ['x', 'y'] }, base + 5);
  order.addEvent('stock.checked', undefined, base + 6);
  if (shape.error) {
    charge.recordException(new Error('card declined: größe'), base + 7);
    charge.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
    query.setStatus({ code: SpanStatusCode.OK });
  }

  charge.end(base + 10);
  query.end(base + 11);
  order.end(base + 12);
  call.end(base + 13);
  root.end(base + (shape.milliseconds ?? 14));
  return root.spanContext().traceId;
}

const shapes = {
  error: { error: true },
  slow: { milliseconds: 2500 },
  attribute: { attributes: { 'customer.tier': 'gold' }, traceState: 'vendor=blue,rojo=00f067aa0ba902b7' },
  none: { attributes: { 'customer.tier': 'tin' } },
};

async function main() {
  const fates = {};
  for (const [fate, shape] of Object.entries(shapes)) {
    fates[fate] = Array.from({ length: Number(options.traces) }, () => sendTrace(shape));
  }

  for (const service of Object.values(services)) {
    await service.provider.forceFlush();
    await service.provider.shutdown();
  }

  process.stdout.write(JSON.stringify({ fates, sent: Buffer.from(ProtobufTraceSerializer.serializeRequest(ended)).toString('base64') }) + '\n');
  if (failures.length > 0) {
    process.stderr.write(`not acknowledged: ${failures.join('; ')}\n`);
    process.exitCode = 1;
  }
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
