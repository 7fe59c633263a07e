#!/usr/bin/env bash
# grpc-java: an error with a text of 11 KiB ends every call on the connection.
#
# Surprise: a client takes 8 KiB of headers. A trailer a little over that ends its own call, with INTERNAL and
# without its status. From a quarter more on it is an error of the connection: all its calls end with INTERNAL,
# "http2 exception", also those that have nothing to do with it.
# Who meets it: clients over Unix sockets, which have one connection for all calls, streams that watch something among
# them, and servers that put a stack trace or the output of a command into an error.
# Seen since: grpc-java 1.85.1 with netty's epoll sockets.
# Source: maxInboundMetadataSize says nothing of other calls:
# https://grpc.github.io/grpc-java/javadoc/io/grpc/ManagedChannelBuilder.html
source "$(dirname "$0")/common.bash"
need java javac mvn

mkdir "$work/java"
cat >"$work/java/pom.xml" <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>finding</artifactId>
  <version>0</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.grpc</groupId><artifactId>grpc-netty-shaded</artifactId><version>1.85.1</version></dependency>
    <dependency><groupId>io.grpc</groupId><artifactId>grpc-stub</artifactId><version>1.85.1</version></dependency>
  </dependencies>
</project>
XML
quietly mvn --quiet --batch-mode --file "$work/java/pom.xml" dependency:copy-dependencies \
	-DincludeScope=runtime -DoutputDirectory="$work/java/lib" || unavailable 'the packages of grpc-java'
cat >"$work/java/Probe.java" <<'JAVA'
import io.grpc.*;
import io.grpc.netty.shaded.io.grpc.netty.*;
import io.grpc.netty.shaded.io.netty.channel.epoll.*;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.*;
import java.io.*;
import java.util.concurrent.*;

class Probe {
    static final MethodDescriptor.Marshaller<String> TEXT = new MethodDescriptor.Marshaller<>() {
        public InputStream stream(String value) {
            return new ByteArrayInputStream(value.getBytes());
        }

        public String parse(InputStream stream) {
            try {
                return new String(stream.readAllBytes());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    };

    static MethodDescriptor<String, String> method(String name, MethodDescriptor.MethodType type) {
        return MethodDescriptor.<String, String>newBuilder()
                .setFullMethodName("finding/" + name)
                .setType(type)
                .setRequestMarshaller(TEXT)
                .setResponseMarshaller(TEXT)
                .build();
    }

    public static void main(String[] args) throws Exception {
        var fail = method("Fail", MethodDescriptor.MethodType.UNARY);
        var watch = method("Watch", MethodDescriptor.MethodType.SERVER_STREAMING);
        var path = new DomainSocketAddress(args[0]);
        NettyServerBuilder.forAddress(path)
                .channelType(EpollServerDomainSocketChannel.class)
                .bossEventLoopGroup(new EpollEventLoopGroup(1))
                .workerEventLoopGroup(new EpollEventLoopGroup(1))
                .addService(ServerServiceDefinition.builder("finding")
                        .addMethod(fail, ServerCalls.asyncUnaryCall((String size, StreamObserver<String> to) -> to.onError(
                                Status.ABORTED.withDescription("x".repeat(Integer.parseInt(size))).asException())))
                        .addMethod(watch, ServerCalls.asyncServerStreamingCall(
                                (String request, StreamObserver<String> to) -> to.onNext("watching")))
                        .build())
                .build()
                .start();
        for (int size : new int[] {1000, 9000, 11000}) {
            var channel = NettyChannelBuilder.forAddress(path)
                    .channelType(EpollDomainSocketChannel.class)
                    .eventLoopGroup(new EpollEventLoopGroup(1))
                    .usePlaintext()
                    .build();
            var watching = new CountDownLatch(1);
            var other = new CompletableFuture<Status>();
            ClientCalls.asyncServerStreamingCall(channel.newCall(watch, CallOptions.DEFAULT), "", new StreamObserver<String>() {
                public void onNext(String value) {
                    watching.countDown();
                }

                public void onError(Throwable why) {
                    other.complete(Status.fromThrowable(why));
                }

                public void onCompleted() {}
            });
            watching.await();
            Status status = null;
            try {
                ClientCalls.blockingUnaryCall(channel, fail, CallOptions.DEFAULT, String.valueOf(size));
            } catch (StatusRuntimeException e) {
                status = e.getStatus();
            }
            String ended = "goes on";
            try {
                var of = other.get(2, TimeUnit.SECONDS);
                ended = "ends with " + of.getCode() + " " + of.getDescription();
            } catch (TimeoutException e) {
                // It goes on.
            }
            System.out.printf("error of %d bytes: %s; a stream beside it %s%n", size, status.getCode(), ended);
        }
        System.exit(0);
    }
}
JAVA
quietly javac -d "$work/java" -cp "$work/java/lib/*" "$work/java/Probe.java" || unavailable 'the program does not compile'
echo "versions: grpc-java 1.85.1, $(java --version | head -n 1), Linux $(uname -r)"
verdict 'one call ends with ABORTED or another error, the stream beside it goes on' \
	'^error of 11000 bytes: [A-Z]+; a stream beside it ends with INTERNAL' \
	"$(java -cp "$work/java:$work/java/lib/*" Probe "$work/s" 2>/dev/null)"
