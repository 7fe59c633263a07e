"""grpc's TestService, served by Debian's grpcio: python3 server.py TARGET DESCRIPTORS

It prints one line once it serves.
"""

import signal
import sys
from concurrent import futures

import grpc

from stubs import Stubs


class TestService:
    def __init__(self, stubs):
        self.new = stubs.message

    def methods(self):
        return {name: getattr(self, name) for name in vars(TestService) if name.endswith("Call")}

    def output(self, kind, size):
        return self.new(kind, payload=self.new("Payload", body=bytes(size)))

    def EmptyCall(self, request, context):
        return self.new("Empty")

    def UnaryCall(self, request, context):
        echo(context)
        fail(request, context)
        return self.output("SimpleResponse", request.response_size)

    def StreamingInputCall(self, requests, context):
        size = sum(len(request.payload.body) for request in requests)
        return self.new("StreamingInputCallResponse", aggregated_payload_size=size)

    def StreamingOutputCall(self, request, context):
        for wanted in request.response_parameters:
            yield self.output("StreamingOutputCallResponse", wanted.size)

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            fail(request, context)
            yield from self.StreamingOutputCall(request, context)


def echo(context):
    """Sends back the metadata that the cases look for."""
    got = dict(context.invocation_metadata())
    for key, send in (
        ("x-grpc-test-echo-initial", context.send_initial_metadata),
        ("x-grpc-test-echo-trailing-bin", context.set_trailing_metadata),
    ):
        if key in got:
            send(((key, got[key]),))


def fail(request, context):
    if request.response_status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


def main():
    target, descriptors = sys.argv[1:]
    stubs = Stubs(descriptors)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    methods = TestService(stubs).methods()
    server.add_generic_rpc_handlers((stubs.handlers(grpc, "grpc.testing.TestService", methods),))
    server.add_insecure_port(target)
    server.start()
    print("serving", flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop(grace=None).wait()


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
main()
