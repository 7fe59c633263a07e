// The interop cases of gRPC, for any client that offers these two functions:
//
//   unary(method, request, metadata) -> {reply, header, trailer}
//   stream(method, {metadata, timeout}) -> {send, end, cancel, replies, header, trailer}
//
// Where a call fails they throw an error with code, a number, and text.

const requestSizes = [27182, 8, 1828, 45904];
const replySizes = [31415, 9, 2653, 58979];
const special = "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n";
const initial = ["x-grpc-test-echo-initial", "sent first"];
const trailing = ["x-grpc-test-echo-trailing-bin", Buffer.from([0xab, 0xab, 0xab])];

const cancelled = 1, unknown = 2, deadlineExceeded = 4, unimplemented = 12;

const payload = (size) => ({ body: Buffer.alloc(size) });
const wanting = (...sizes) => ({ responseParameters: sizes.map((size) => ({ size })) });

function same(got, want) {
  if (got !== want) throw new Error(`got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

async function fails(promise, code, text) {
  let error;
  try {
    await promise;
  } catch (e) {
    error = e;
  }
  if (!error) throw new Error(`the call succeeded, want code ${code}`);
  same(error.code, code);
  if (text !== undefined) same(error.text, text);
}

async function sizes(replies) {
  const all = [];
  for await (const reply of replies) all.push(reply.payload.body.length);
  return all.join();
}

async function echoesMetadata({ header, trailer }) {
  same(header(initial[0]), initial[1]);
  same(Buffer.from(trailer(trailing[0])).toString("hex"), trailing[1].toString("hex"));
}

const service = "grpc.testing.TestService";
const method = (name) => `${service}/${name}`;

export const cases = {
  async empty_unary(client) {
    const { reply } = await client.unary(method("EmptyCall"), {});
    same(Object.keys(reply).filter((key) => !key.startsWith("$")).length, 0);
  },

  async large_unary(client) {
    const { reply } = await client.unary(method("UnaryCall"), { responseSize: 314159, payload: payload(271828) });
    same(reply.payload.body.length, 314159);
  },

  async client_streaming(client) {
    const call = client.stream(method("StreamingInputCall"));
    for (const size of requestSizes) call.send({ payload: payload(size) });
    call.end();
    const all = [];
    for await (const reply of call.replies) all.push(reply.aggregatedPayloadSize);
    same(all.join(), "74922");
  },

  async server_streaming(client) {
    const call = client.stream(method("StreamingOutputCall"));
    call.send(wanting(...replySizes));
    call.end();
    same(await sizes(call.replies), replySizes.join());
  },

  async ping_pong(client) {
    const call = client.stream(method("FullDuplexCall"));
    const replies = call.replies[Symbol.asyncIterator]();
    for (const [i, size] of requestSizes.entries()) {
      call.send({ ...wanting(replySizes[i]), payload: payload(size) });
      const { value } = await replies.next();
      same(value.payload.body.length, replySizes[i]);
    }
    call.end();
    same((await replies.next()).done, true);
  },

  async empty_stream(client) {
    const call = client.stream(method("FullDuplexCall"));
    call.end();
    same(await sizes(call.replies), "");
  },

  async timeout_on_sleeping_server(client) {
    const call = client.stream(method("FullDuplexCall"), { timeout: 1 });
    call.send({ payload: payload(27182) });
    await fails(sizes(call.replies), deadlineExceeded);
  },

  async cancel_after_begin(client) {
    const call = client.stream(method("StreamingInputCall"));
    // Until then grpc-js has not begun; a call cancelled too early stays open behind its back.
    await new Promise(setImmediate);
    call.cancel();
    await fails(sizes(call.replies), cancelled);
  },

  async cancel_after_first_response(client) {
    const call = client.stream(method("FullDuplexCall"));
    call.send({ ...wanting(31415), payload: payload(27182) });
    const replies = call.replies[Symbol.asyncIterator]();
    same((await replies.next()).value.payload.body.length, 31415);
    call.cancel();
    await fails(replies.next(), cancelled);
  },

  async status_code_and_message(client) {
    const text = "what the server says";
    const request = { responseStatus: { code: unknown, message: text } };
    await fails(client.unary(method("UnaryCall"), request), unknown, text);
    const call = client.stream(method("FullDuplexCall"));
    call.send(request);
    call.end();
    await fails(sizes(call.replies), unknown, text);
  },

  async special_status_message(client) {
    const request = { responseStatus: { code: unknown, message: special } };
    await fails(client.unary(method("UnaryCall"), request), unknown, special);
  },

  async custom_metadata(client) {
    const metadata = Object.fromEntries([initial, trailing]);
    await echoesMetadata(await client.unary(method("UnaryCall"), { responseSize: 1 }, metadata));
    const call = client.stream(method("FullDuplexCall"), { metadata });
    call.send(wanting(1));
    call.end();
    same(await sizes(call.replies), "1");
    await echoesMetadata(call);
  },

  async unimplemented_method(client) {
    await fails(client.unary(method("UnimplementedCall"), {}), unimplemented);
  },

  async unimplemented_service(client) {
    await fails(client.unary("grpc.testing.UnimplementedService/UnimplementedCall", {}), unimplemented);
  },
};

function within(patience, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, patience, new Error("it hangs"))));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// run runs the cases named, or all of them, and prints a line for each.
export async function run(client, names) {
  for (const name of names.length ? names : Object.keys(cases)) {
    try {
      await within(20_000, cases[name](client));
      console.log(`ok ${name}`);
    } catch (e) {
      console.log(`failed ${name}: ${JSON.stringify(e.message)}`);
    }
  }
}
