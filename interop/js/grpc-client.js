// node grpc-client.js TARGET DESCRIPTORS [CASE... | load CALLERS | hold KEEPALIVE_MILLIS]: the interop cases
// through @grpc/grpc-js.
import grpc from "@grpc/grpc-js";
import { run } from "./cases.js";
import { load } from "./descriptors.js";

const [target, descriptors, ...names] = process.argv.slice(2);
const definitions = load(descriptors);
const options = names[0] === "hold" && Number(names[1]) ? { "grpc.keepalive_time_ms": Number(names[1]) } : {};
const channel = new grpc.Client(target, grpc.credentials.createInsecure(), options);

function find(path) {
  const [service, method] = path.split("/");
  return definitions[service][method];
}

function toMetadata(pairs = {}) {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(pairs)) metadata.set(key, value);
  return metadata;
}

function fromError(e) {
  return Object.assign(new Error(e.message), { code: e.code, text: e.details });
}

const first = (metadata) => (key) => metadata?.get(key)[0];

const adapter = (client) => ({
  compressing() {
    const algorithm = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
    return adapter(new grpc.Client(target, grpc.credentials.createInsecure(), algorithm));
  },

  unary(path, request, metadata) {
    const { path: wire, requestSerialize, responseDeserialize } = find(path);
    return new Promise((resolve, reject) => {
      let header, trailer, reply;
      client
        .makeUnaryRequest(wire, requestSerialize, responseDeserialize, request, toMetadata(metadata), (e, value) => {
          if (e) reject(fromError(e));
          reply = value;
        })
        .on("metadata", (m) => (header = m))
        .on("status", (s) => {
          trailer = s.metadata;
          resolve({ reply, header: first(header), trailer: first(trailer) });
        });
    });
  },

  stream(path, { metadata, timeout } = {}) {
    const { path: wire, requestSerialize, responseDeserialize } = find(path);
    const options = timeout === undefined ? {} : { deadline: Date.now() + timeout };
    const call = client.makeBidiStreamRequest(wire, requestSerialize, responseDeserialize, toMetadata(metadata), options);
    let header, trailer;
    const finished = new Promise((resolve) => call.on("status", resolve));
    call.on("metadata", (m) => (header = m));
    call.on("error", () => {}); // whoever reads the replies is told

    async function* replies() {
      try {
        yield* call;
      } catch (e) {
        throw fromError(e);
      }
      trailer = (await finished).metadata;
    }
    return {
      send: (message) => call.write(message),
      end: () => call.end(),
      cancel: () => call.cancel(),
      replies: replies(),
      header: (key) => first(header)(key),
      trailer: (key) => first(trailer)(key),
    };
  },
});

await run(adapter(channel), names);
channel.close();
process.exit();
