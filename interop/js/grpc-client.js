// node grpc-client.js TARGET DESCRIPTORS [CASE...]: the interop cases through @grpc/grpc-js.
import grpc from "@grpc/grpc-js";
import { run } from "./cases.js";
import { load } from "./descriptors.js";

const [target, descriptors, ...names] = process.argv.slice(2);
const definitions = load(descriptors);
const client = new grpc.Client(target, grpc.credentials.createInsecure());

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

await run({
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
}, names);
client.close();
