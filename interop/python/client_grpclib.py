"""A client of grpclib; see cases.main for the arguments."""

import asyncio
from contextlib import contextmanager

from grpclib.client import Channel
from grpclib.const import Cardinality
from grpclib.exceptions import GRPCError

from cases import CANCELLED, DEADLINE_EXCEEDED, PATIENCE, Failed, Reply, main


@contextmanager
def statuses():
    """Of grpclib's exceptions, only some have a status."""
    try:
        yield
    except GRPCError as e:
        raise Failed(e.status.value, e.message or "")
    except asyncio.TimeoutError:
        raise Failed(DEADLINE_EXCEEDED, "asyncio.TimeoutError")
    except Exception as e:
        raise Failed(type(e).__name__, str(e))


class Call:
    def __init__(self, channel, method, metadata, timeout):
        self.stream = channel.request(
            method.path, Cardinality.STREAM_STREAM, method.request, method.reply, timeout=timeout, metadata=metadata
        )
        self.begun = self.cancelled = False
        self.header, self.trailer = {}, {}

    async def begin(self):
        if self.begun:
            return
        self.begun = True
        with statuses():
            await self.stream.__aenter__()
            await self.stream.send_request()

    async def send(self, message):
        await self.begin()
        with statuses():
            await self.stream.send_message(message)

    async def end(self):
        await self.begin()
        with statuses():
            await self.stream.end()

    async def receive(self):
        if self.cancelled:
            raise Failed(CANCELLED, "it was cancelled")
        try:
            with statuses():
                message = await self.stream.recv_message()
                self.header = dict(self.stream.initial_metadata or {})
                if message is not None:
                    return message
                await self.stream.recv_trailing_metadata()
                self.trailer = dict(self.stream.trailing_metadata)
                await self.stream.__aexit__(None, None, None)
                return None
        except Failed as e:
            # The status may be in what has come before the connection was lost.
            with statuses():
                await self.stream.__aexit__(type(e.__context__), e.__context__, None)
            raise

    async def cancel(self):
        with statuses():
            await self.stream.cancel()
            await self.stream.__aexit__(None, None, None)
        self.cancelled = True


class Client:
    def __init__(self, target, keepalive):
        if keepalive:
            raise SystemExit("grpclib has no public setting for it")
        self.channel = Channel(path=target)

    async def unary(self, method, request, metadata=(), compressed=False):
        if compressed:
            raise SystemExit("grpclib does not compress")
        with statuses():
            async with self.channel.request(
                method.path, Cardinality.UNARY_UNARY, method.request, method.reply, timeout=PATIENCE, metadata=metadata
            ) as stream:
                await stream.send_message(request, end=True)
                message = await stream.recv_message()
                await stream.recv_trailing_metadata()
            return Reply(message, stream.initial_metadata, stream.trailing_metadata)

    def stream(self, method, metadata=(), timeout=PATIENCE):
        return Call(self.channel, method, metadata, timeout)

    async def close(self):
        self.channel.close()


asyncio.run(main(Client))
