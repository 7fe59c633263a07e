"""The interop cases of gRPC, and some of this project's, for any client that offers

    await unary(method, request, metadata=(), compressed=False) -> Reply
    stream(method, metadata=(), timeout=PATIENCE) -> Call

where a Call has send, end, receive (None at the end of the replies), cancel, header and trailer, the
latter two for what has come by then. Calls that fail raise Failed.
"""

import asyncio
import sys

import commands
from stubs import Stubs

REQUEST_SIZES = [27182, 8, 1828, 45904]
REPLY_SIZES = [31415, 9, 2653, 58979]
SPECIAL = "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
PATIENCE = 20

CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 1, 2, 4, 8, 12


class Failed(Exception):
    """A call has failed with this code, or an exception of this name if the library knows none."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code, self.text = code, text


class Reply:
    def __init__(self, message, header, trailer):
        self.message, self.header, self.trailer = message, dict(header), dict(trailer)


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.200}, want {want!r:.200}")


async def fails(call, code, text=None):
    """Awaits call, which has to end with this status."""
    try:
        await call
    except Failed as e:
        if e.code != code:
            raise AssertionError(f"got code {e.code}, want {code}: {e.text:.300}")
        if text is not None:
            same(e.text, text)
        return
    raise AssertionError(f"the call succeeded, want code {code}")


async def sizes(call):
    """Those of all replies to come."""
    got = []
    while (reply := await call.receive()) is not None:
        got.append(len(reply.payload.body))
    return got


class Cases:
    def __init__(self, client, stubs):
        self.client, self.new = client, stubs.message
        self.test = stubs.methods("grpc.testing.TestService")
        self.missing = stubs.methods("grpc.testing.UnimplementedService")

    async def unary(self, name, request, **more):
        return await self.client.unary(self.test[name], request, **more)

    def stream(self, name, **more):
        return self.client.stream(self.test[name], **more)

    def payload(self, size):
        return self.new("Payload", body=bytes(size))

    def simple(self, size, reply_size):
        return self.new("SimpleRequest", response_size=reply_size, payload=self.payload(size))

    def output(self, *sizes, **fields):
        wanted = [self.new("ResponseParameters", size=size) for size in sizes]
        return self.new("StreamingOutputCallRequest", response_parameters=wanted, **fields)

    def status(self, kind, text):
        return self.new(kind, response_status=self.new("EchoStatus", code=UNKNOWN, message=text))

    async def empty_unary(self):
        same((await self.unary("EmptyCall", self.new("Empty"))).message, self.new("Empty"))

    async def large_unary(self):
        reply = await self.unary("UnaryCall", self.simple(271828, 314159))
        same(len(reply.message.payload.body), 314159)

    async def client_streaming(self):
        call = self.stream("StreamingInputCall")
        for size in REQUEST_SIZES:
            await call.send(self.new("StreamingInputCallRequest", payload=self.payload(size)))
        await call.end()
        same((await call.receive()).aggregated_payload_size, sum(REQUEST_SIZES))
        same(await call.receive(), None)

    async def server_streaming(self):
        call = self.stream("StreamingOutputCall")
        await call.send(self.output(*REPLY_SIZES))
        await call.end()
        same(await sizes(call), REPLY_SIZES)

    async def exchange(self, call, request_size, reply_size):
        await call.send(self.output(reply_size, payload=self.payload(request_size)))
        reply = await call.receive()
        same(len(reply.payload.body), reply_size)

    async def ping_pong(self):
        call = self.stream("FullDuplexCall")
        for request_size, reply_size in zip(REQUEST_SIZES, REPLY_SIZES):
            await self.exchange(call, request_size, reply_size)
        await call.end()
        same(await sizes(call), [])

    async def empty_stream(self):
        call = self.stream("FullDuplexCall")
        await call.end()
        same(await sizes(call), [])

    async def timeout_on_sleeping_server(self):
        async def run():
            call = self.stream("FullDuplexCall", timeout=0.001)
            await call.send(self.output(payload=self.payload(27182)))
            await call.receive()

        await fails(run(), DEADLINE_EXCEEDED)

    async def cancel_after_begin(self):
        call = self.stream("StreamingInputCall")
        await call.begin()
        await call.cancel()
        await fails(call.receive(), CANCELLED)

    async def cancel_after_first_response(self):
        call = self.stream("FullDuplexCall")
        await self.exchange(call, 27182, 31415)
        await call.cancel()
        await fails(call.receive(), CANCELLED)

    async def ends_with(self, request):
        """The stream that asks for this status."""
        call = self.stream("FullDuplexCall")
        await call.send(request)
        await call.end()
        return await call.receive()

    async def status_code_and_message(self):
        text = "what the server says"
        await fails(self.unary("UnaryCall", self.status("SimpleRequest", text)), UNKNOWN, text)
        await fails(self.ends_with(self.status("StreamingOutputCallRequest", text)), UNKNOWN, text)

    async def special_status_message(self):
        await fails(self.unary("UnaryCall", self.status("SimpleRequest", SPECIAL)), UNKNOWN, SPECIAL)

    async def custom_metadata(self):
        metadata = ((INITIAL, "sent first"), (TRAILING, b"\xab\xab\xab"))
        reply = await self.unary("UnaryCall", self.simple(1, 1), metadata=metadata)
        call = self.stream("FullDuplexCall", metadata=metadata)
        await self.exchange(call, 1, 1)
        await call.end()
        same(await sizes(call), [])
        for each in reply, call:
            same(each.header.get(INITIAL), "sent first")
            same(each.trailer.get(TRAILING), b"\xab\xab\xab")

    async def unimplemented_method(self):
        await fails(self.unary("UnimplementedCall", self.new("Empty")), UNIMPLEMENTED)

    async def unimplemented_service(self):
        method = self.missing["UnimplementedCall"]
        await fails(self.client.unary(method, self.new("Empty")), UNIMPLEMENTED)


class More(Cases):
    """What gRPC has no case for."""

    async def all_bytes_in_metadata(self):
        reply = await self.unary("UnaryCall", self.simple(1, 1), metadata=((TRAILING, bytes(range(256))),))
        same(reply.trailer.get(TRAILING), bytes(range(256)))

    async def compressed(self):
        reply = await self.unary("UnaryCall", self.simple(271828, 314159), compressed=True)
        same(len(reply.message.payload.body), 314159)

    async def deadline_between_replies(self):
        await self.empty_unary()  # the first call of a process takes long
        request = self.output(1, 1)
        request.response_parameters[1].interval_us = 3_000_000
        call = self.stream("StreamingOutputCall", timeout=0.5)
        await call.send(request)
        await call.end()
        same(len((await call.receive()).payload.body), 1)
        await fails(call.receive(), DEADLINE_EXCEEDED)

    async def beside_a_stream(self, request, code):
        """A call that fails with this code, and a stream on the same connection, which goes on."""
        call = self.stream("FullDuplexCall")
        await self.exchange(call, 1, 1)
        try:
            await fails(self.unary("UnaryCall", request), code)
        finally:
            try:
                await self.exchange(call, 1, 1)
            except Failed as e:
                raise AssertionError(f"another call of the connection ends, too, with {e.code}: {e.text:.300}")
        await call.end()
        same(await sizes(call), [])
        await self.empty_unary()

    async def request_of_5_mib(self):
        await self.beside_a_stream(self.simple(5 << 20, 1), RESOURCE_EXHAUSTED)

    async def reply_of_5_mib(self):
        await self.beside_a_stream(self.simple(1, 5 << 20), RESOURCE_EXHAUSTED)

    async def error_of_100_kib(self):
        await self.beside_a_stream(self.status("SimpleRequest", "x" * (100 << 10)), UNKNOWN)


def names(cases):
    return [name for name, value in vars(cases).items() if asyncio.iscoroutinefunction(value) and "_" in name]


HELPERS = {"ends_with", "beside_a_stream"}


async def run(client, stubs, wanted):
    """Runs the cases named, or all of gRPC's, and prints a line for each."""
    cases = More(client, stubs)
    for name in wanted or [n for n in names(Cases) if n not in HELPERS]:
        try:
            await asyncio.wait_for(getattr(cases, name)(), PATIENCE)
            print("ok", name)
        except Exception as e:
            print(f"failed {name}: {e!r}".replace("\n", " "))


async def main(connect, spread=None):
    """python3 PROGRAM TARGET DESCRIPTORS [CASE... | load CALLERS | hold KEEPALIVE_MS]

    connect makes a client for a target, which closes with close. spread makes many calls at a time.
    """
    target, descriptors, *wanted = sys.argv[1:]
    stubs = Stubs(descriptors)
    keepalive = int(wanted[1]) if wanted[:1] == ["hold"] else 0
    client = connect(target, keepalive)
    try:
        if wanted[:1] == ["load"]:
            await commands.load(More(client, stubs), int(wanted[1]), spread)
        elif wanted[:1] == ["hold"]:
            await commands.hold(More(client, stubs))
        else:
            await run(client, stubs, wanted)
    finally:
        await client.close()
