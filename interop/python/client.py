"""The interop cases through Debian's grpcio: python3 client.py TARGET DESCRIPTORS [CASE...]"""

import queue
import sys
import threading

import grpc

from stubs import Stubs

REQUEST_SIZES = [27182, 8, 1828, 45904]
REPLY_SIZES = [31415, 9, 2653, 58979]
SPECIAL = "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, 😈 of four\t\n"
METADATA = (("x-grpc-test-echo-initial", "sent first"), ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))
PATIENCE = 20


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def fails(call, code, text=None):
    """Runs call, which has to end with this status."""
    try:
        call()
    except grpc.RpcError as e:
        same(e.code(), code)
        if text is not None:
            same(e.details(), text)
        return
    raise AssertionError(f"the call succeeded, want {code}")


class Cases:
    def __init__(self, channel, stubs):
        self.test = stubs.client(channel, "grpc.testing.TestService")
        self.missing = stubs.client(channel, "grpc.testing.UnimplementedService")
        self.new = stubs.message
        self.over = threading.Event()

    def endless(self, *requests):
        """Requests after which the stream stays open; an iterator that ends would half-close it."""
        yield from requests
        self.over.wait()

    def payload(self, size):
        return self.new("Payload", body=bytes(size))

    def output(self, *sizes, **fields):
        wanted = [self.new("ResponseParameters", size=size) for size in sizes]
        return self.new("StreamingOutputCallRequest", response_parameters=wanted, **fields)

    def status(self, kind, text):
        return self.new(kind, response_status=self.new("EchoStatus", code=2, message=text))

    def empty_unary(self):
        same(self.test["EmptyCall"](self.new("Empty"), timeout=PATIENCE), self.new("Empty"))

    def large_unary(self):
        request = self.new("SimpleRequest", response_size=314159, payload=self.payload(271828))
        same(len(self.test["UnaryCall"](request, timeout=PATIENCE).payload.body), 314159)

    def client_streaming(self):
        requests = [self.new("StreamingInputCallRequest", payload=self.payload(n)) for n in REQUEST_SIZES]
        reply = self.test["StreamingInputCall"](iter(requests), timeout=PATIENCE)
        same(reply.aggregated_payload_size, sum(REQUEST_SIZES))

    def server_streaming(self):
        replies = self.test["StreamingOutputCall"](self.output(*REPLY_SIZES), timeout=PATIENCE)
        same([len(reply.payload.body) for reply in replies], REPLY_SIZES)

    def ping_pong(self):
        requests = queue.SimpleQueue()
        call = self.test["FullDuplexCall"](iter(requests.get, None), timeout=PATIENCE)
        for request_size, reply_size in zip(REQUEST_SIZES, REPLY_SIZES):
            requests.put(self.output(reply_size, payload=self.payload(request_size)))
            same(len(next(call).payload.body), reply_size)
        requests.put(None)
        same(list(call), [])

    def empty_stream(self):
        same(list(self.test["FullDuplexCall"](iter(()), timeout=PATIENCE)), [])

    def timeout_on_sleeping_server(self):
        call = self.test["FullDuplexCall"](self.endless(self.output(payload=self.payload(27182))), timeout=0.001)
        fails(lambda: list(call), grpc.StatusCode.DEADLINE_EXCEEDED)

    def cancel_after_begin(self):
        call = self.test["StreamingInputCall"].future(self.endless(), timeout=PATIENCE)
        call.cancel()
        same(call.cancelled(), True)
        same(call.code(), grpc.StatusCode.CANCELLED)

    def cancel_after_first_response(self):
        requests = self.endless(self.output(31415, payload=self.payload(27182)))
        call = self.test["FullDuplexCall"](requests, timeout=PATIENCE)
        same(len(next(call).payload.body), 31415)
        call.cancel()
        fails(lambda: next(call), grpc.StatusCode.CANCELLED)

    def status_code_and_message(self):
        text = "what the server says"
        unary = self.status("SimpleRequest", text)
        fails(lambda: self.test["UnaryCall"](unary, timeout=PATIENCE), grpc.StatusCode.UNKNOWN, text)
        stream = self.test["FullDuplexCall"](iter([self.status("StreamingOutputCallRequest", text)]), timeout=PATIENCE)
        fails(lambda: list(stream), grpc.StatusCode.UNKNOWN, text)

    def special_status_message(self):
        request = self.status("SimpleRequest", SPECIAL)
        fails(lambda: self.test["UnaryCall"](request, timeout=PATIENCE), grpc.StatusCode.UNKNOWN, SPECIAL)

    def custom_metadata(self):
        request = self.new("SimpleRequest", response_size=1)
        _, call = self.test["UnaryCall"].with_call(request, metadata=METADATA, timeout=PATIENCE)
        stream = self.test["FullDuplexCall"](iter([self.output(1)]), metadata=METADATA, timeout=PATIENCE)
        same(len(list(stream)), 1)
        for each in call, stream:
            same(METADATA[0] in [tuple(pair) for pair in each.initial_metadata()], True)
            same(METADATA[1] in [tuple(pair) for pair in each.trailing_metadata()], True)

    def unimplemented_method(self):
        call = self.test["UnimplementedCall"]
        fails(lambda: call(self.new("Empty"), timeout=PATIENCE), grpc.StatusCode.UNIMPLEMENTED)

    def unimplemented_service(self):
        call = self.missing["UnimplementedCall"]
        fails(lambda: call(self.new("Empty"), timeout=PATIENCE), grpc.StatusCode.UNIMPLEMENTED)


def main():
    target, descriptors, *names = sys.argv[1:]
    with grpc.insecure_channel(target) as channel:
        cases = Cases(channel, Stubs(descriptors))
        for name in names or [n for n in vars(Cases) if "_" in n and not n.startswith("_")]:
            try:
                getattr(cases, name)()
                print("ok", name)
            except Exception as e:
                print(f"failed {name}: {e!r}".replace("\n", " "))
        cases.over.set()


main()
