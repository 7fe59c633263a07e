import static io.grpc.testing.integration.Messages.*;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.testing.integration.EmptyProtos.Empty;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** The interop cases of gRPC, and some of this project's. */
final class Cases {
    static final int[] REQUEST_SIZES = {27182, 8, 1828, 45904};
    static final int[] REPLY_SIZES = {31415, 9, 2653, 58979};
    static final String SPECIAL =
            "\t\n white space all around, % and %41,\r\n ☺ of two bytes in UTF-16, \uD83D\uDE08 of four\t\n";
    static final int CANCELLED = 1, UNKNOWN = 2, DEADLINE_EXCEEDED = 4, RESOURCE_EXHAUSTED = 8, UNIMPLEMENTED = 12;

    interface Step {
        void run() throws Exception;
    }

    final Map<String, Step> grpc = new LinkedHashMap<>();
    final Map<String, Step> more = new LinkedHashMap<>();
    private final Channel channel;

    Cases(Channel channel) {
        this.channel = channel;
        grpc.put("empty_unary", () -> unary(Methods.EMPTY, Empty.getDefaultInstance()));
        grpc.put("large_unary", () -> same(large(options()), 314159));
        grpc.put("client_streaming", this::clientStreaming);
        grpc.put("server_streaming", this::serverStreaming);
        grpc.put("ping_pong", this::pingPong);
        grpc.put("empty_stream", () -> {
            var call = stream(Methods.DUPLEX, options());
            call.end();
            same(call.receive(), null);
        });
        grpc.put("timeout_on_sleeping_server", () -> {
            var call = stream(Methods.DUPLEX, CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.MILLISECONDS));
            call.send(output(27182));
            fails(call::receive, DEADLINE_EXCEEDED, null);
        });
        grpc.put("cancel_after_begin", () -> {
            var call = stream(Methods.INPUT, options());
            call.cancel();
            fails(call::receive, CANCELLED, null);
        });
        grpc.put("cancel_after_first_response", () -> {
            var call = stream(Methods.DUPLEX, options());
            exchange(call, 27182, 31415);
            call.cancel();
            fails(call::receive, CANCELLED, null);
        });
        grpc.put("status_code_and_message", this::statusCodeAndMessage);
        grpc.put("special_status_message", () -> fails(() -> unary(Methods.UNARY, failing(SPECIAL)), UNKNOWN, SPECIAL));
        grpc.put("custom_metadata", this::customMetadata);
        grpc.put("unimplemented_method", () -> unimplemented(Methods.SERVICE));
        grpc.put("unimplemented_service", () -> unimplemented("grpc.testing.UnimplementedService"));
        more.put("all_bytes_in_metadata", this::allBytesInMetadata);
        more.put("compressed", () -> same(large(options().withCompression("gzip")), 314159));
        more.put("deadline_between_replies", this::deadlineBetweenReplies);
        more.put("request_of_5_mib", () -> besideAStream(simple(5 << 20, 1), RESOURCE_EXHAUSTED));
        more.put("reply_of_5_mib", () -> besideAStream(simple(1, 5 << 20), RESOURCE_EXHAUSTED));
        more.put("error_of_100_kib", () -> besideAStream(failing("x".repeat(100 << 10)), UNKNOWN));
    }

    static CallOptions options() {
        return CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS);
    }

    static void same(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** Runs a call that has to end with this status. */
    static void fails(Step call, int code, String text) throws Exception {
        try {
            call.run();
        } catch (StatusRuntimeException e) {
            Status status = e.getStatus();
            if (status.getCode().value() != code) {
                throw new AssertionError("got code " + status.getCode().value() + ", want " + code + ": " + shortened(e));
            }
            if (text != null) {
                same(status.getDescription(), text);
            }
            return;
        }
        throw new AssertionError("the call succeeded, want code " + code);
    }

    static String shortened(Throwable e) {
        String text = String.valueOf(e.getMessage());
        return text.substring(0, Math.min(300, text.length())).replace('\n', ' ');
    }

    static SimpleRequest simple(int size, int replySize) {
        return SimpleRequest.newBuilder().setPayload(Methods.payload(size)).setResponseSize(replySize).build();
    }

    static EchoStatus status(String text) {
        return EchoStatus.newBuilder().setCode(UNKNOWN).setMessage(text).build();
    }

    static SimpleRequest failing(String text) {
        return SimpleRequest.newBuilder().setResponseStatus(status(text)).build();
    }

    static StreamingOutputCallRequest output(int size, int... replies) {
        var request = StreamingOutputCallRequest.newBuilder().setPayload(Methods.payload(size));
        for (int reply : replies) {
            request.addResponseParameters(ResponseParameters.newBuilder().setSize(reply));
        }
        return request.build();
    }

    <Q, P> Call<Q, P> stream(MethodDescriptor<Q, P> method, CallOptions options) {
        return new Call<>(channel, method, options, new Metadata());
    }

    <Q, P> P unary(MethodDescriptor<Q, P> method, Q request) throws InterruptedException {
        return unary(new Call<>(channel, method, options(), new Metadata()), request);
    }

    static <Q, P> P unary(Call<Q, P> call, Q request) throws InterruptedException {
        call.send(request);
        call.end();
        P reply = call.receive();
        same(call.receive(), null);
        return reply;
    }

    int large(CallOptions options) throws InterruptedException {
        var call = new Call<>(channel, Methods.UNARY, options, new Metadata());
        return unary(call, simple(271828, 314159)).getPayload().getBody().size();
    }

    static void exchange(Call<StreamingOutputCallRequest, StreamingOutputCallResponse> call, int size, int replySize)
            throws InterruptedException {
        call.send(output(size, replySize));
        same(call.receive().getPayload().getBody().size(), replySize);
    }

    void clientStreaming() throws Exception {
        var call = stream(Methods.INPUT, options());
        for (int size : REQUEST_SIZES) {
            call.send(StreamingInputCallRequest.newBuilder().setPayload(Methods.payload(size)).build());
        }
        call.end();
        same(call.receive().getAggregatedPayloadSize(), 74922);
        same(call.receive(), null);
    }

    void serverStreaming() throws Exception {
        var call = stream(Methods.OUTPUT, options());
        call.send(output(0, REPLY_SIZES));
        call.end();
        for (int size : REPLY_SIZES) {
            same(call.receive().getPayload().getBody().size(), size);
        }
        same(call.receive(), null);
    }

    void pingPong() throws Exception {
        var call = stream(Methods.DUPLEX, options());
        for (int i = 0; i < REQUEST_SIZES.length; i++) {
            exchange(call, REQUEST_SIZES[i], REPLY_SIZES[i]);
        }
        call.end();
        same(call.receive(), null);
    }

    void statusCodeAndMessage() throws Exception {
        String text = "what the server says";
        fails(() -> unary(Methods.UNARY, failing(text)), UNKNOWN, text);
        var call = stream(Methods.DUPLEX, options());
        call.send(StreamingOutputCallRequest.newBuilder().setResponseStatus(status(text)).build());
        call.end();
        fails(call::receive, UNKNOWN, text);
    }

    void customMetadata() throws Exception {
        byte[] binary = {(byte) 0xab, (byte) 0xab, (byte) 0xab};
        var one = new Call<>(channel, Methods.UNARY, options(), metadata("sent first", binary));
        unary(one, simple(1, 1));
        var many = new Call<>(channel, Methods.DUPLEX, options(), metadata("sent first", binary));
        exchange(many, 1, 1);
        many.end();
        same(many.receive(), null);
        for (Call<?, ?> call : new Call<?, ?>[] {one, many}) {
            same(call.header.get(Methods.INITIAL), "sent first");
            same(Arrays.toString(call.trailer.get(Methods.TRAILING)), Arrays.toString(binary));
        }
    }

    static Metadata metadata(String initial, byte[] trailing) {
        Metadata metadata = new Metadata();
        metadata.put(Methods.INITIAL, initial);
        metadata.put(Methods.TRAILING, trailing);
        return metadata;
    }

    void unimplemented(String service) throws Exception {
        var method = Methods.method(
                service, "UnimplementedCall", MethodDescriptor.MethodType.UNARY, Empty.getDefaultInstance(), Empty.getDefaultInstance());
        fails(() -> unary(method, Empty.getDefaultInstance()), UNIMPLEMENTED, null);
    }

    void allBytesInMetadata() throws Exception {
        byte[] all = new byte[256];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) i;
        }
        var call = new Call<>(channel, Methods.UNARY, options(), metadata("first", all));
        unary(call, simple(1, 1));
        same(Arrays.toString(call.trailer.get(Methods.TRAILING)), Arrays.toString(all));
    }

    void deadlineBetweenReplies() throws Exception {
        unary(Methods.EMPTY, Empty.getDefaultInstance()); // the first call of a process takes long
        var call = stream(Methods.OUTPUT, CallOptions.DEFAULT.withDeadlineAfter(500, TimeUnit.MILLISECONDS));
        var request = output(0, 1, 1).toBuilder();
        request.getResponseParametersBuilder(1).setIntervalUs(3_000_000);
        call.send(request.build());
        call.end();
        same(call.receive().getPayload().getBody().size(), 1);
        fails(call::receive, DEADLINE_EXCEEDED, null);
    }

    /** A call that fails with this code, and a stream on the same connection, which goes on. */
    void besideAStream(SimpleRequest request, int code) throws Exception {
        var call = stream(Methods.DUPLEX, options());
        exchange(call, 1, 1);
        try {
            fails(() -> unary(Methods.UNARY, request), code, null);
        } finally {
            try {
                exchange(call, 1, 1);
            } catch (StatusRuntimeException e) {
                throw new AssertionError("another call of the connection ends, too: " + shortened(e));
            }
        }
        call.end();
        same(call.receive(), null);
        unary(Methods.EMPTY, Empty.getDefaultInstance());
    }
}
