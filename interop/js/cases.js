// The interop cases of gRPC, for any client that offers these two functions:
//
//   unary(method, request, metadata) -> {reply, header, trailer}
//   stream(method, {metadata, timeout}) -> {send, end, cancel, replies, header, trailer}
//
// Where a call fails they throw an error with code, a number, and text.

import { createInterface } from "node:readline";

const requestSizes = [27182, 8, 1828, 45904];
const replySizes = [31415, 9, 2653, 58979];
const special = "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n";
const initial = ["x-grpc-test-echo-initial", "sent first"];
const trailing = ["x-grpc-test-echo-trailing-bin", Buffer.from([0xab, 0xab, 0xab])];

const cancelled = 1, unknown = 2, deadlineExceeded = 4, resourceExhausted = 8, unimplemented = 12;

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
  if (error.code !== code) throw new Error(`got code ${error.code}, want ${code}: ${error.text?.slice(0, 300)}`);
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

async function exchange(call, replies) {
  call.send({ ...wanting(1), payload: payload(1) });
  return (await replies.next()).value.payload.body.length;
}

// besideAStream makes a call that fails with this code, and sees that a stream goes on.
async function besideAStream(client, request, code) {
  const call = client.stream(method("FullDuplexCall"));
  const replies = call.replies[Symbol.asyncIterator]();
  await exchange(call, replies);
  const failure = await client.unary(method("UnaryCall"), request).then(() => null, (e) => e);
  try {
    await exchange(call, replies);
  } catch (e) {
    throw new Error(`another call of the connection ends, too, with ${e.code}: ${e.text}`);
  }
  await fails(failure ? Promise.reject(failure) : Promise.resolve(), code);
  call.end();
  same((await replies.next()).done, true);
  await cases.empty_unary(client);
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

// more are cases that gRPC has none for.
export const more = {
  async all_bytes_in_metadata(client) {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const { trailer } = await client.unary(method("UnaryCall"), { responseSize: 1 }, { [trailing[0]]: all });
    same(Buffer.from(trailer(trailing[0])).toString("hex"), all.toString("hex"));
  },

  async compressed(client) {
    const request = { responseSize: 314159, payload: payload(271828) };
    const { reply } = await client.compressing().unary(method("UnaryCall"), request);
    same(reply.payload.body.length, 314159);
  },

  async deadline_between_replies(client) {
    await client.unary(method("EmptyCall"), {}); // the first call of a process takes long
    const call = client.stream(method("StreamingOutputCall"), { timeout: 500 });
    call.send({ responseParameters: [{ size: 1 }, { size: 1, intervalUs: 3_000_000 }] });
    call.end();
    const replies = call.replies[Symbol.asyncIterator]();
    same((await replies.next()).value.payload.body.length, 1);
    await fails(replies.next(), deadlineExceeded);
  },

  request_of_5_mib: (client) => besideAStream(client, { responseSize: 1, payload: payload(5 << 20) }, resourceExhausted),
  reply_of_5_mib: (client) => besideAStream(client, { responseSize: 5 << 20, payload: payload(1) }, resourceExhausted),
  error_of_100_kib: (client) =>
    besideAStream(client, { responseStatus: { code: unknown, message: "x".repeat(100 << 10) } }, unknown),
};

// load calls with several callers, for each line so many milliseconds, or with 0 until the next line, and
// prints what came of it.
async function load(client, callers) {
  const lines = createInterface({ input: process.stdin });
  let waiting = [], wake = () => {}, ended = false;
  lines.on("line", (line) => (waiting.push(line), wake()));
  lines.on("close", () => ((ended = true), wake()));
  console.log("ready");
  for (;;) {
    while (!waiting.length && !ended) await new Promise((resolve) => (wake = resolve));
    if (!waiting.length) return;
    const millis = Number(waiting.shift());
    const began = performance.now();
    const took = [], codes = {};
    let success = began, gap = 0, text = "";
    const over = () => (millis ? performance.now() - began >= millis : waiting.length || ended);
    const request = { responseSize: 64, payload: payload(64) };
    const call = async () => {
      while (!over()) {
        const start = performance.now();
        try {
          await client.unary(method("UnaryCall"), request);
          const now = performance.now();
          took.push(now - start);
          gap = Math.max(gap, now - success);
          success = now;
        } catch (e) {
          const code = e.code ?? e.name;
          codes[code] = (codes[code] ?? 0) + 1;
          text ||= String(e.text ?? e.message).slice(0, 300);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    };
    await Promise.all(Array.from({ length: callers }, call));
    const now = performance.now();
    const failed = Object.values(codes).reduce((a, b) => a + b, 0);
    took.sort((a, b) => a - b);
    console.log(JSON.stringify({
      calls: took.length + failed,
      failed,
      seconds: (now - began) / 1000,
      gap: Math.max(gap, now - success) / 1000,
      median: (took[took.length >> 1] ?? 0) / 1000,
      codes,
      text,
    }));
  }
}

// hold has a stream open, silent until there is a line to be read.
async function hold(client) {
  const call = client.stream(method("FullDuplexCall"));
  const replies = call.replies[Symbol.asyncIterator]();
  await exchange(call, replies);
  console.log("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.pause();
  try {
    await exchange(call, replies);
    call.end();
    same((await replies.next()).done, true);
    console.log("ok");
  } catch (e) {
    console.log(`failed ${e.code}: ${e.text ?? e.message}`);
  }
}

function within(patience, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(reject, patience, new Error("it hangs"))));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// run runs the cases named, or all of gRPC's, and prints a line for each; or load or hold.
export async function run(client, names) {
  if (names[0] === "load") return load(client, Number(names[1]));
  if (names[0] === "hold") return hold(client);
  for (const name of names.length ? names : Object.keys(cases)) {
    try {
      await within(20_000, (cases[name] ?? more[name])(client));
      console.log(`ok ${name}`);
    } catch (e) {
      console.log(`failed ${name}: ${JSON.stringify(e.message)}`);
    }
  }
}
