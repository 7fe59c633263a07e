// node grpc-server.js TARGET DESCRIPTORS: grpc's TestService, served by @grpc/grpc-js. It
// prints one line once it serves, and drains on SIGTERM.
import grpc from "@grpc/grpc-js";
import { load } from "./descriptors.js";

const [target, descriptors] = process.argv.slice(2);
const definitions = load(descriptors, { defaults: true });
const payload = (size) => ({ payload: { body: Buffer.alloc(size) } });

// echo sends back the metadata that the cases look for.
function echo(call) {
  const header = new grpc.Metadata();
  const trailer = new grpc.Metadata();
  for (const value of call.metadata.get("x-grpc-test-echo-initial")) header.add("x-grpc-test-echo-initial", value);
  for (const value of call.metadata.get("x-grpc-test-echo-trailing-bin")) trailer.add("x-grpc-test-echo-trailing-bin", value);
  call.sendMetadata(header);
  return trailer;
}

function failure(status, metadata) {
  return status?.code ? { code: status.code, details: status.message, metadata } : null;
}

const server = new grpc.Server();
server.addService(definitions["grpc.testing.TestService"], {
  EmptyCall: (_, done) => done(null, {}),

  UnaryCall(call, done) {
    const trailer = echo(call);
    const { responseStatus, responseSize } = call.request;
    done(failure(responseStatus, trailer), payload(responseSize), trailer);
  },

  StreamingInputCall(call, done) {
    let sum = 0;
    call.on("data", (request) => (sum += request.payload.body.length));
    call.on("end", () => done(null, { aggregatedPayloadSize: sum }));
  },

  async StreamingOutputCall(call) {
    for (const { size, intervalUs } of call.request.responseParameters) {
      if (intervalUs) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
      call.write(payload(size));
    }
    call.end();
  },

  FullDuplexCall(call) {
    const trailer = echo(call);
    call.on("data", ({ responseStatus, responseParameters }) => {
      const error = failure(responseStatus, trailer);
      if (error) return call.emit("error", error);
      for (const { size } of responseParameters) call.write(payload(size));
    });
    call.on("end", () => call.end(trailer));
  },
});

server.bindAsync(target, grpc.ServerCredentials.createInsecure(), (e) => {
  if (e) throw e;
  console.log("serving");
});
process.on("SIGTERM", () => {
  server.tryShutdown(() => process.exit());
  setTimeout(() => server.forceShutdown(), 10_000);
});
