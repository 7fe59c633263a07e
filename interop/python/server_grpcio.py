"""grpc's TestService, served by grpcio's synchronous API: python3 server_grpcio.py PATH DESCRIPTORS

It prints one line once it serves, and drains on SIGTERM.
"""

import signal
import sys
import time
from concurrent import futures

import grpc

from stubs import Stubs

INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


class TestService:
    def __init__(self, stubs):
        self.new = stubs.message

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
            time.sleep(wanted.interval_us / 1e6)
            yield self.output("StreamingOutputCallResponse", wanted.size)

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            fail(request, context)
            yield from self.StreamingOutputCall(request, context)


def echo(context):
    """Sends back the metadata that the cases look for."""
    got = dict(context.invocation_metadata())
    if INITIAL in got:
        context.send_initial_metadata(((INITIAL, got[INITIAL]),))
    if TRAILING in got:
        context.set_trailing_metadata(((TRAILING, got[TRAILING]),))


def fail(request, context):
    if request.response_status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


def handlers(stubs, service):
    """What grpcio, with either API, answers the service's methods with."""
    made = {}
    for name, method in stubs.methods("grpc.testing.TestService").items():
        if hasattr(service, name):
            kind = "_".join("stream" if streams else "unary" for streams in (method.client_streams, method.server_streams))
            make = getattr(grpc, kind + "_rpc_method_handler")
            made[name] = make(getattr(service, name), method.request.FromString, method.reply.SerializeToString)
    return grpc.method_handlers_generic_handler("grpc.testing.TestService", made)


def main():
    path, descriptors = sys.argv[1:]
    stubs = Stubs(descriptors)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((handlers(stubs, TestService(stubs)),))
    server.add_insecure_port("unix:" + path)
    server.start()
    print("serving", flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop(grace=10).wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
