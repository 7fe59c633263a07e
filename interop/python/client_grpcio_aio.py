"""A client of grpcio's asynchronous API; see cases.main for the arguments."""

import asyncio

import grpc

from cases import CANCELLED, PATIENCE, Failed, Reply, main


def failed(e):
    return Failed(e.code().value[0], e.details())


class Call:
    def __init__(self, channel, method, metadata, timeout):
        make = channel.stream_stream(method.path, method.request.SerializeToString, method.reply.FromString)
        self.call = make(metadata=metadata, timeout=timeout)
        self.header, self.trailer = {}, {}

    async def begin(self):
        await self.call.wait_for_connection()

    async def send(self, message):
        await self.done(self.call.write(message))

    async def end(self):
        await self.done(self.call.done_writing())

    async def receive(self):
        message = await self.done(self.call.read())
        self.header = dict(await self.call.initial_metadata())
        if message is not grpc.aio.EOF:
            return message
        self.trailer = dict(await self.call.trailing_metadata())
        return None

    async def done(self, step):
        try:
            return await step
        except grpc.RpcError as e:
            raise failed(e)
        except asyncio.CancelledError:
            if not self.call.cancelled():
                raise
            raise Failed(CANCELLED, "asyncio.CancelledError")

    async def cancel(self):
        self.call.cancel()


class Client:
    def __init__(self, target, keepalive):
        options = []
        if keepalive:
            options = [("grpc.keepalive_time_ms", keepalive), ("grpc.http2.max_pings_without_data", 0)]
        self.channel = grpc.aio.insecure_channel("unix:" + target, options)
        self.calls = {}

    async def unary(self, method, request, metadata=(), compressed=False):
        make = self.calls.get(method.path)
        if make is None:
            make = self.channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
            self.calls[method.path] = make
        compression = grpc.Compression.Gzip if compressed else None
        call = make(request, metadata=metadata, timeout=PATIENCE, compression=compression)
        try:
            return Reply(await call, await call.initial_metadata(), await call.trailing_metadata())
        except grpc.RpcError as e:
            raise failed(e)

    def stream(self, method, metadata=(), timeout=PATIENCE):
        return Call(self.channel, method, metadata, timeout)

    async def close(self):
        await self.channel.close()


asyncio.run(main(Client))
