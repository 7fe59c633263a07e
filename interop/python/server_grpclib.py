"""grpc's TestService, served by grpclib: python3 server_grpclib.py PATH DESCRIPTORS

It prints one line once it serves. On SIGTERM it does what grpclib has for that, which is no drain:
graceful_exit cancels the calls that run.
"""

import asyncio
import sys

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server
from grpclib.utils import graceful_exit

from stubs import Stubs

INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
CARDINALITIES = {
    (False, False): Cardinality.UNARY_UNARY,
    (False, True): Cardinality.UNARY_STREAM,
    (True, False): Cardinality.STREAM_UNARY,
    (True, True): Cardinality.STREAM_STREAM,
}


class TestService:
    def __init__(self, stubs):
        self.new = stubs.message
        self.methods = stubs.methods("grpc.testing.TestService")

    def __mapping__(self):
        return {
            method.path: Handler(
                getattr(self, name), CARDINALITIES[method.client_streams, method.server_streams], method.request, method.reply
            )
            for name, method in self.methods.items()
            if hasattr(self, name)
        }

    def output(self, kind, size):
        return self.new(kind, payload=self.new("Payload", body=bytes(size)))

    async def EmptyCall(self, stream):
        await stream.recv_message()
        await stream.send_message(self.new("Empty"))

    async def UnaryCall(self, stream):
        request = await stream.recv_message()
        await echo(stream)
        fail(request)
        await stream.send_message(self.output("SimpleResponse", request.response_size))

    async def StreamingInputCall(self, stream):
        size = 0
        async for request in stream:
            size += len(request.payload.body)
        await stream.send_message(self.new("StreamingInputCallResponse", aggregated_payload_size=size))

    async def replies(self, stream, request):
        for wanted in request.response_parameters:
            await asyncio.sleep(wanted.interval_us / 1e6)
            await stream.send_message(self.output("StreamingOutputCallResponse", wanted.size))

    async def StreamingOutputCall(self, stream):
        await self.replies(stream, await stream.recv_message())

    async def FullDuplexCall(self, stream):
        await echo(stream)
        async for request in stream:
            fail(request)
            await self.replies(stream, request)


async def echo(stream):
    """Sends back the metadata that the cases look for, the trailer's at the end of the call."""
    if INITIAL in stream.metadata:
        await stream.send_initial_metadata(metadata={INITIAL: stream.metadata[INITIAL]})
    if TRAILING in stream.metadata:
        send = stream.send_trailing_metadata

        async def send_with_metadata(**more):
            await send(**{**more, "metadata": {TRAILING: stream.metadata[TRAILING]}})

        stream.send_trailing_metadata = send_with_metadata


def fail(request):
    if request.response_status.code:
        raise GRPCError(Status(request.response_status.code), request.response_status.message)


async def main():
    path, descriptors = sys.argv[1:]
    server = Server([TestService(Stubs(descriptors))])
    with graceful_exit([server]):
        await server.start(path=path)
        print("serving", flush=True)
        await server.wait_closed()


asyncio.run(main())
