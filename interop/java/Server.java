import static io.grpc.testing.integration.Messages.*;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.grpc.testing.integration.EmptyProtos.Empty;
import java.util.concurrent.TimeUnit;

/** grpc's TestService, served over netty's epoll sockets: java Server PATH. It drains on SIGTERM. */
final class Server {
    static <T> boolean failed(EchoStatus status, StreamObserver<T> to) {
        if (status.getCode() == 0) {
            return false;
        }
        to.onError(Status.fromCodeValue(status.getCode()).withDescription(status.getMessage()).asException());
        return true;
    }

    static void unary(SimpleRequest request, StreamObserver<SimpleResponse> to) {
        if (!failed(request.getResponseStatus(), to)) {
            to.onNext(SimpleResponse.newBuilder().setPayload(Methods.payload(request.getResponseSize())).build());
            to.onCompleted();
        }
    }

    static StreamObserver<StreamingInputCallRequest> input(StreamObserver<StreamingInputCallResponse> to) {
        return new StreamObserver<>() {
            int sum;

            @Override
            public void onNext(StreamingInputCallRequest request) {
                sum += request.getPayload().getBody().size();
            }

            @Override
            public void onError(Throwable why) {}

            @Override
            public void onCompleted() {
                to.onNext(StreamingInputCallResponse.newBuilder().setAggregatedPayloadSize(sum).build());
                to.onCompleted();
            }
        };
    }

    static void send(StreamingOutputCallRequest request, StreamObserver<StreamingOutputCallResponse> to) {
        for (ResponseParameters wanted : request.getResponseParametersList()) {
            try {
                TimeUnit.MICROSECONDS.sleep(wanted.getIntervalUs());
            } catch (InterruptedException e) {
                return;
            }
            to.onNext(StreamingOutputCallResponse.newBuilder().setPayload(Methods.payload(wanted.getSize())).build());
        }
    }

    static void output(StreamingOutputCallRequest request, StreamObserver<StreamingOutputCallResponse> to) {
        send(request, to);
        to.onCompleted();
    }

    static StreamObserver<StreamingOutputCallRequest> duplex(StreamObserver<StreamingOutputCallResponse> to) {
        return new StreamObserver<>() {
            boolean over;

            @Override
            public void onNext(StreamingOutputCallRequest request) {
                over = over || failed(request.getResponseStatus(), to);
                if (!over) {
                    send(request, to);
                }
            }

            @Override
            public void onError(Throwable why) {}

            @Override
            public void onCompleted() {
                if (!over) {
                    to.onCompleted();
                }
            }
        };
    }

    /** Sends back the metadata that the cases look for. */
    static final ServerInterceptor ECHO = new ServerInterceptor() {
        @Override
        public <Q, P> ServerCall.Listener<Q> interceptCall(
                ServerCall<Q, P> call, Metadata got, ServerCallHandler<Q, P> next) {
            return next.startCall(
                    new SimpleForwardingServerCall<>(call) {
                        @Override
                        public void sendHeaders(Metadata header) {
                            if (got.containsKey(Methods.INITIAL)) {
                                header.put(Methods.INITIAL, got.get(Methods.INITIAL));
                            }
                            super.sendHeaders(header);
                        }

                        @Override
                        public void close(Status status, Metadata trailer) {
                            if (got.containsKey(Methods.TRAILING)) {
                                trailer.put(Methods.TRAILING, got.get(Methods.TRAILING));
                            }
                            super.close(status, trailer);
                        }
                    },
                    got);
        }
    };

    public static void main(String[] args) throws Exception {
        ServerServiceDefinition service = ServerServiceDefinition.builder(Methods.SERVICE)
                .addMethod(Methods.EMPTY, ServerCalls.asyncUnaryCall((Empty request, StreamObserver<Empty> to) -> {
                    to.onNext(request);
                    to.onCompleted();
                }))
                .addMethod(Methods.UNARY, ServerCalls.asyncUnaryCall(Server::unary))
                .addMethod(Methods.INPUT, ServerCalls.asyncClientStreamingCall(Server::input))
                .addMethod(Methods.OUTPUT, ServerCalls.asyncServerStreamingCall(Server::output))
                .addMethod(Methods.DUPLEX, ServerCalls.asyncBidiStreamingCall(Server::duplex))
                .build();
        io.grpc.Server server = NettyServerBuilder.forAddress(new DomainSocketAddress(args[0]))
                .channelType(EpollServerDomainSocketChannel.class)
                .bossEventLoopGroup(new EpollEventLoopGroup(1))
                .workerEventLoopGroup(new EpollEventLoopGroup(2))
                .addService(ServerInterceptors.intercept(service, ECHO))
                .build();
        sun.misc.Signal.handle(new sun.misc.Signal("TERM"), signal -> server.shutdown());
        server.start();
        System.out.println("serving");
        server.awaitTermination();
        System.exit(0);
    }
}
