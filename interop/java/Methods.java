import static io.grpc.testing.integration.Messages.*;

import com.google.protobuf.Message;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.testing.integration.EmptyProtos.Empty;

/** The methods of grpc's TestService, as grpc's plugin for protoc would generate them, and their metadata. */
final class Methods {
    static final String SERVICE = "grpc.testing.TestService";

    static final MethodDescriptor<Empty, Empty> EMPTY =
            method(SERVICE, "EmptyCall", MethodType.UNARY, Empty.getDefaultInstance(), Empty.getDefaultInstance());
    static final MethodDescriptor<SimpleRequest, SimpleResponse> UNARY = method(
            SERVICE, "UnaryCall", MethodType.UNARY, SimpleRequest.getDefaultInstance(), SimpleResponse.getDefaultInstance());
    static final MethodDescriptor<StreamingInputCallRequest, StreamingInputCallResponse> INPUT = method(
            SERVICE,
            "StreamingInputCall",
            MethodType.CLIENT_STREAMING,
            StreamingInputCallRequest.getDefaultInstance(),
            StreamingInputCallResponse.getDefaultInstance());
    static final MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> OUTPUT = method(
            SERVICE,
            "StreamingOutputCall",
            MethodType.SERVER_STREAMING,
            StreamingOutputCallRequest.getDefaultInstance(),
            StreamingOutputCallResponse.getDefaultInstance());
    static final MethodDescriptor<StreamingOutputCallRequest, StreamingOutputCallResponse> DUPLEX = method(
            SERVICE,
            "FullDuplexCall",
            MethodType.BIDI_STREAMING,
            StreamingOutputCallRequest.getDefaultInstance(),
            StreamingOutputCallResponse.getDefaultInstance());

    static final Metadata.Key<String> INITIAL =
            Metadata.Key.of("x-grpc-test-echo-initial", Metadata.ASCII_STRING_MARSHALLER);
    static final Metadata.Key<byte[]> TRAILING =
            Metadata.Key.of("x-grpc-test-echo-trailing-bin", Metadata.BINARY_BYTE_MARSHALLER);

    static <Q extends Message, P extends Message> MethodDescriptor<Q, P> method(
            String service, String name, MethodType type, Q request, P reply) {
        return MethodDescriptor.<Q, P>newBuilder()
                .setFullMethodName(MethodDescriptor.generateFullMethodName(service, name))
                .setType(type)
                .setRequestMarshaller(ProtoUtils.marshaller(request))
                .setResponseMarshaller(ProtoUtils.marshaller(reply))
                .build();
    }

    static Payload payload(int size) {
        return Payload.newBuilder()
                .setBody(com.google.protobuf.ByteString.copyFrom(new byte[size]))
                .build();
    }

    private Methods() {}
}
