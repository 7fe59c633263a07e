// node connect-client.js PATH DESCRIPTORS [CASE...]: the interop cases through connect-node. Instead of the path of a
// socket it takes grpc-web+URL and connect+URL: then it is connect-web, as in a browser, with that protocol.
import { readFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, decodeBinaryHeader, encodeBinaryHeader } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { run } from "./cases.js";

const [target, descriptors, ...names] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const sessionManager = new Http2SessionManager("http://localhost", {}, { createConnection: () => dial(target) });
const [protocol, url] = target.split("+http");
const baseUrl = url === undefined ? "http://localhost" : "http" + url;
const transports = { connect: createConnectTransport, "grpc-web": createGrpcWebTransport };
const transport = url === undefined ? createGrpcTransport({ baseUrl, sessionManager }) : transports[protocol]({ baseUrl });

function find(name) {
  const [service, method] = name.split("/");
  return registry.getService(service).methods.find((m) => m.name === method);
}

function toHeaders(pairs = {}) {
  const headers = new Headers();
  for (const [key, value] of Object.entries(pairs)) {
    headers.set(key, key.endsWith("-bin") ? encodeBinaryHeader(value) : value);
  }
  return headers;
}

const first = (headers) => (key) => {
  const value = headers?.get(key);
  return key.endsWith("-bin") ? decodeBinaryHeader(value) : value;
};

function fromError(e) {
  const error = ConnectError.from(e);
  return Object.assign(new Error(error.message), { code: error.code, text: error.rawMessage });
}

// queue is what a stream sends: filled by the case, emptied by the transport.
function queue() {
  const waiting = [];
  let wake = () => {};
  const put = (item) => (waiting.push(item), wake());
  async function* items() {
    for (;;) {
      while (!waiting.length) await new Promise((resolve) => (wake = resolve));
      const item = waiting.shift();
      if (item === undefined) return;
      yield item;
    }
  }
  return { put, items: items() };
}

await run({
  async unary(name, request, metadata) {
    const method = find(name);
    try {
      const r = await transport.unary(method, undefined, undefined, toHeaders(metadata), create(method.input, request));
      return { reply: r.message, header: first(r.header), trailer: first(r.trailer) };
    } catch (e) {
      throw fromError(e);
    }
  },

  stream(name, { metadata, timeout } = {}) {
    const method = find(name);
    const aborting = new AbortController();
    const { put, items } = queue();
    const response = transport.stream(method, aborting.signal, timeout, toHeaders(metadata), items);
    response.catch(() => {}); // whoever reads the replies is told
    let header, trailer;

    async function* replies() {
      try {
        const r = await response;
        header = r.header;
        yield* r.message;
        trailer = r.trailer;
      } catch (e) {
        throw fromError(e);
      }
    }
    return {
      send: (message) => put(create(method.input, message)),
      end: () => put(undefined),
      cancel: () => aborting.abort(),
      replies: replies(),
      header: (key) => first(header)(key),
      trailer: (key) => first(trailer)(key),
    };
  },
}, names);
sessionManager.abort();
