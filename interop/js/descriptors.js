import { readFileSync } from "node:fs";
import loader from "@grpc/proto-loader";

// load returns the services of a descriptor set as grpc-js wants them. Its loader names fields
// as .proto files do, unless it reads such files itself; here they have their JavaScript names.
export function load(path, options) {
  const services = loader.loadFileDescriptorSetFromBuffer(readFileSync(path), options);
  for (const service of Object.values(services)) {
    for (const method of Object.values(service)) {
      if (!method.path) continue; // of a message
      for (const name of ["requestSerialize", "responseSerialize"]) {
        const serialize = method[name];
        method[name] = (message) => serialize(rename(message, (key) => key.replace(/[A-Z]/g, (c) => "_" + c.toLowerCase())));
      }
      for (const name of ["requestDeserialize", "responseDeserialize"]) {
        const deserialize = method[name];
        method[name] = (bytes) => rename(deserialize(bytes), (key) => key.replace(/_(.)/g, (_, c) => c.toUpperCase()));
      }
    }
  }
  return services;
}

function rename(value, to) {
  if (Array.isArray(value)) return value.map((item) => rename(item, to));
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [to(key), rename(item, to)]));
}
