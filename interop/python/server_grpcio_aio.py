"""grpc's TestService, served by grpcio's asynchronous API: python3 server_grpcio_aio.py PATH DESCRIPTORS

It prints one line once it serves, and drains on SIGTERM.
"""

import asyncio
import signal
import sys

import grpc

from server_grpcio import INITIAL, TRAILING, handlers
from stubs import Stubs


class TestService:
    def __init__(self, stubs):
        self.new = stubs.message

    def output(self, kind, size):
        return self.new(kind, payload=self.new("Payload", body=bytes(size)))

    async def EmptyCall(self, request, context):
        return self.new("Empty")

    async def UnaryCall(self, request, context):
        await echo(context)
        await fail(request, context)
        return self.output("SimpleResponse", request.response_size)

    async def StreamingInputCall(self, requests, context):
        size = 0
        async for request in requests:
            size += len(request.payload.body)
        return self.new("StreamingInputCallResponse", aggregated_payload_size=size)

    async def StreamingOutputCall(self, request, context):
        for wanted in request.response_parameters:
            await asyncio.sleep(wanted.interval_us / 1e6)
            yield self.output("StreamingOutputCallResponse", wanted.size)

    async def FullDuplexCall(self, requests, context):
        await echo(context)
        async for request in requests:
            await fail(request, context)
            async for reply in self.StreamingOutputCall(request, context):
                yield reply


async def echo(context):
    """Sends back the metadata that the cases look for."""
    got = dict(context.invocation_metadata())
    if INITIAL in got:
        await context.send_initial_metadata(((INITIAL, got[INITIAL]),))
    if TRAILING in got:
        context.set_trailing_metadata(((TRAILING, got[TRAILING]),))


async def fail(request, context):
    if request.response_status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        await context.abort(codes[request.response_status.code], request.response_status.message)


async def main():
    path, descriptors = sys.argv[1:]
    stubs = Stubs(descriptors)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handlers(stubs, TestService(stubs)),))
    server.add_insecure_port("unix:" + path)
    await server.start()
    print("serving", flush=True)
    await stop.wait()
    await server.stop(grace=10)


asyncio.run(main())
