import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A stream that its user takes the replies of as they come. */
final class Call<Q, P> extends ClientCall.Listener<P> {
    private final ClientCall<Q, P> call;
    private final LinkedBlockingQueue<Object> events = new LinkedBlockingQueue<>();
    volatile Metadata header = new Metadata();
    volatile Metadata trailer = new Metadata();

    Call(Channel channel, MethodDescriptor<Q, P> method, CallOptions options, Metadata metadata) {
        call = channel.newCall(method, options);
        call.start(this, metadata);
        call.request(Integer.MAX_VALUE);
    }

    void send(Q message) {
        call.sendMessage(message);
    }

    void end() {
        call.halfClose();
    }

    void cancel() {
        call.cancel("the client has changed its mind", null);
    }

    /** Returns the next reply, or null at the end. */
    @SuppressWarnings("unchecked")
    P receive() throws InterruptedException {
        Object event = events.poll(20, TimeUnit.SECONDS);
        if (event == null) {
            throw new AssertionError("it hangs");
        }
        if (event instanceof Status status) {
            if (!status.isOk()) {
                throw new StatusRuntimeException(status, trailer);
            }
            return null;
        }
        return (P) event;
    }

    @Override
    public void onHeaders(Metadata headers) {
        header = headers;
    }

    @Override
    public void onMessage(P message) {
        events.add(message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        trailer = trailers;
        events.add(status);
    }
}
