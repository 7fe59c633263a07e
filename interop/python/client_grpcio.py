"""A client of grpcio's synchronous API; see cases.main for the arguments."""

import asyncio
import concurrent.futures
import queue
import threading
import time

import grpc

import commands
from cases import PATIENCE, Failed, Reply, main

END = object()


def failed(e):
    return Failed(e.code().value[0], e.details())


class Call:
    def __init__(self, channel, method, metadata, timeout):
        self.requests = queue.SimpleQueue()
        make = channel.stream_stream(method.path, method.request.SerializeToString, method.reply.FromString)
        self.call = make(iter(self.requests.get, END), metadata=metadata, timeout=timeout)

    async def begin(self):
        """The call has begun."""

    async def send(self, message):
        self.requests.put(message)

    async def end(self):
        self.requests.put(END)

    async def receive(self):
        try:
            return await asyncio.to_thread(next, self.call, None)
        except grpc.RpcError as e:
            self.requests.put(END)
            raise failed(e)

    async def cancel(self):
        self.call.cancel()
        self.requests.put(END)

    @property
    def header(self):
        return dict(self.call.initial_metadata())

    @property
    def trailer(self):
        return dict(self.call.trailing_metadata())


class Client:
    def __init__(self, target, keepalive):
        options = []
        if keepalive:
            options = [("grpc.keepalive_time_ms", keepalive), ("grpc.http2.max_pings_without_data", 0)]
        self.channel = grpc.insecure_channel("unix:" + target, options)

    async def unary(self, method, request, metadata=(), compressed=False):
        compression = grpc.Compression.Gzip if compressed else None
        call = self.channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
        try:
            message, done = await asyncio.to_thread(
                call.with_call, request, metadata=metadata, timeout=PATIENCE, compression=compression
            )
        except grpc.RpcError as e:
            raise failed(e)
        return Reply(message, done.initial_metadata(), done.trailing_metadata())

    def stream(self, method, metadata=(), timeout=PATIENCE):
        return Call(self.channel, method, metadata, timeout)

    async def close(self):
        self.channel.close()


async def spread_threads(cases, tally, callers):
    """Callers that are threads, as users of this API have them."""
    method = cases.test["UnaryCall"]
    call = cases.client.channel.unary_unary(method.path, method.request.SerializeToString, method.reply.FromString)
    request = cases.simple(64, 64)

    def call_on():
        while not tally.over():
            began = time.monotonic()
            try:
                call(request, timeout=PATIENCE)
            except grpc.RpcError as e:
                tally.failed(failed(e))
                time.sleep(commands.PAUSE)
            else:
                tally.succeeded(began)

    threads = [threading.Thread(target=call_on) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)


async def with_threads():
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(8))
    await main(Client, spread_threads)


asyncio.run(with_threads())
