package thirdparty_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	goruntime "runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	kms "k8s.io/kms/apis/v2"

	"github.com/udsgrpc/udsgrpc/runtime"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/bytestreamudsgrpc"
	"github.com/udsgrpc/udsgrpc/thirdparty/gen/kmsudsgrpc"
)

// These compile only as long as the stubs are old ones: genproto's are of protoc-gen-go, and those of KMS
// of gogo's plugin.
var (
	_ func(*grpc.Server, bytestream.ByteStreamServer)            = bytestream.RegisterByteStreamServer
	_ func(*grpc.Server, kms.KeyManagementServiceServer)         = kms.RegisterKeyManagementServiceServer
	_ func(*grpc.ClientConn) kms.KeyManagementServiceClient      = kms.NewKeyManagementServiceClient
	_ func(grpc.ClientConnInterface) bytestream.ByteStreamClient = bytestream.NewByteStreamClient
)

// overEachTransport runs test with the options that make a call come over each.
func overEachTransport(t *testing.T, test func(t *testing.T, direct bool, opts ...runtime.DialOption)) {
	t.Parallel()
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		test(t, goruntime.GOOS == "linux")
	})
	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()
		test(t, false, runtime.WithHTTP2Only())
	})
}

func checkTransport(t *testing.T, ctx context.Context, direct bool) {
	t.Helper()
	p, _ := peer.FromContext(ctx)
	if info, ok := p.AuthInfo.(runtime.AuthInfo); !ok || info.Direct != direct {
		t.Errorf("the call came with %+v, want Direct to be %v", p.AuthInfo, direct)
	}
}

// keyService is a KMS plugin whose key does nothing. Its methods do what the case says.
type keyService struct {
	kms.UnimplementedKeyManagementServiceServer
	encrypt func(context.Context, *kms.EncryptRequest) (*kms.EncryptResponse, error)
}

func (s *keyService) Encrypt(ctx context.Context, request *kms.EncryptRequest) (*kms.EncryptResponse, error) {
	return s.encrypt(ctx, request)
}

func TestUnaryCallOfGogoStubsHasMetadataOptionsAndInterceptors(t *testing.T) {
	overEachTransport(t, func(t *testing.T, direct bool, opts ...runtime.DialOption) {
		intercepted := make(chan string, 2)
		service := &keyService{encrypt: func(ctx context.Context, request *kms.EncryptRequest) (*kms.EncryptResponse, error) {
			checkTransport(t, ctx, direct)
			if got := metadata.ValueFromIncomingContext(ctx, "tenant"); !slices.Equal(got, []string{"a"}) {
				t.Errorf("the handler got the tenants %q, want a", got)
			}
			if err := grpc.SetHeader(ctx, metadata.Pairs("key-age", "3")); err != nil {
				t.Error(err)
			}
			return &kms.EncryptResponse{Ciphertext: request.Plaintext, KeyId: "key-1", Annotations: map[string][]byte{"a.example": []byte("1")}}, nil
		}}
		server, err := kmsudsgrpc.NewKeyManagementServiceUDSServer(socketPath(t), service,
			runtime.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				if _, ok := info.Server.(*keyService); !ok {
					t.Errorf("the server's interceptor got the server %T, want *keyService", info.Server)
				}
				intercepted <- "server " + info.FullMethod
				return next(ctx, req)
			}))
		if err != nil {
			t.Fatal(err)
		}
		serve(t, server)
		client, conn, err := kmsudsgrpc.DialKeyManagementServiceUDS(server.Path(), append(opts,
			runtime.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				intercepted <- "client " + method
				return next(ctx, method, req, reply, cc, opts...)
			}))...)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, conn)

		var header metadata.MD
		reply, err := client.Encrypt(metadata.AppendToOutgoingContext(soon(t), "tenant", "a"),
			&kms.EncryptRequest{Plaintext: []byte("secret")}, grpc.Header(&header))
		if err != nil {
			t.Fatal(err)
		}
		if string(reply.Ciphertext) != "secret" || reply.KeyId != "key-1" || string(reply.Annotations["a.example"]) != "1" {
			t.Errorf("got the reply %v", reply)
		}
		if got := header.Get("key-age"); !slices.Equal(got, []string{"3"}) {
			t.Errorf("got the header key-age %q, want 3", got)
		}
		for _, want := range []string{"client /v2.KeyManagementService/Encrypt", "server /v2.KeyManagementService/Encrypt"} {
			if got := <-intercepted; got != want {
				t.Errorf("an interceptor saw %q, want %q", got, want)
			}
		}
	})
}

func TestUnaryCallOfGogoStubsEndsAtItsDeadline(t *testing.T) {
	overEachTransport(t, func(t *testing.T, direct bool, opts ...runtime.DialOption) {
		ended := make(chan error, 1)
		service := &keyService{encrypt: func(ctx context.Context, _ *kms.EncryptRequest) (*kms.EncryptResponse, error) {
			checkTransport(t, ctx, direct)
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}}
		server, err := kmsudsgrpc.NewKeyManagementServiceUDSServer(socketPath(t), service)
		if err != nil {
			t.Fatal(err)
		}
		serve(t, server)
		client, conn, err := kmsudsgrpc.DialKeyManagementServiceUDS(server.Path(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, conn)
		if err := conn.WaitReady(soon(t)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(soon(t), 200*time.Millisecond)
		defer cancel()
		if _, err := client.Encrypt(ctx, &kms.EncryptRequest{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("the caller got %v, want %v", err, codes.DeadlineExceeded)
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Error("the handler's context ended without an error")
			}
		case <-soon(t).Done():
			t.Error("the handler's context does not end")
		}
	})
}

func TestGogoStubsOfAServiceWithoutTheMethodSayUnimplemented(t *testing.T) {
	overEachTransport(t, func(t *testing.T, _ bool, opts ...runtime.DialOption) {
		server, err := kmsudsgrpc.NewKeyManagementServiceUDSServer(socketPath(t), &keyService{})
		if err != nil {
			t.Fatal(err)
		}
		serve(t, server)
		client, conn, err := kmsudsgrpc.DialKeyManagementServiceUDS(server.Path(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, conn)
		_, err = client.Decrypt(soon(t), &kms.DecryptRequest{})
		if want := "method Decrypt not implemented"; status.Code(err) != codes.Unimplemented || status.Convert(err).Message() != want {
			t.Errorf("got %v, want %v: %s", err, codes.Unimplemented, want)
		}
	})
}

// Kubernetes 1.33 is such a client.
func TestPlainGRPCClientCallsServerOfGogoStubs(t *testing.T) {
	t.Parallel()
	service := &keyService{encrypt: func(ctx context.Context, request *kms.EncryptRequest) (*kms.EncryptResponse, error) {
		checkTransport(t, ctx, false)
		return &kms.EncryptResponse{Ciphertext: request.Plaintext}, nil
	}}
	server, err := kmsudsgrpc.NewKeyManagementServiceUDSServer(socketPath(t), service)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server)
	conn, err := grpc.NewClient("unix://"+server.Path(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)
	reply, err := kms.NewKeyManagementServiceClient(conn).Encrypt(soon(t), &kms.EncryptRequest{Plaintext: []byte("secret")})
	if err != nil || string(reply.Ciphertext) != "secret" {
		t.Errorf("got %v, %v", reply, err)
	}
}

// memory stores what is written to it.
type memory struct {
	bytestream.UnimplementedByteStreamServer
	t      *testing.T
	direct bool
	stored map[string][]byte
}

func (m *memory) Write(stream bytestream.ByteStream_WriteServer) error {
	checkTransport(m.t, stream.Context(), m.direct)
	var name string
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&bytestream.WriteResponse{CommittedSize: int64(len(m.stored[name]))})
		}
		if err != nil {
			return err
		}
		name = request.ResourceName
		m.stored[name] = append(m.stored[name], request.Data...)
	}
}

func (m *memory) Read(request *bytestream.ReadRequest, stream bytestream.ByteStream_ReadServer) error {
	checkTransport(m.t, stream.Context(), m.direct)
	content, ok := m.stored[request.ResourceName]
	if !ok {
		return status.Errorf(codes.NotFound, "no resource %q", request.ResourceName)
	}
	stream.SetTrailer(metadata.Pairs("parts", "all"))
	for part := range slices.Chunk(content, 3) {
		if err := stream.Send(&bytestream.ReadResponse{Data: part}); err != nil {
			return err
		}
	}
	return nil
}

func TestStreamsOfOldGenprotoStubs(t *testing.T) {
	overEachTransport(t, func(t *testing.T, direct bool, opts ...runtime.DialOption) {
		server, err := bytestreamudsgrpc.NewByteStreamUDSServer(socketPath(t), &memory{t: t, direct: direct, stored: map[string][]byte{}})
		if err != nil {
			t.Fatal(err)
		}
		serve(t, server)
		client, conn, err := bytestreamudsgrpc.DialByteStreamUDS(server.Path(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, conn)
		ctx := soon(t)

		write, err := client.Write(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"one ", "two ", "three"} {
			if err := write.Send(&bytestream.WriteRequest{ResourceName: "r", Data: []byte(part)}); err != nil {
				t.Fatal(err)
			}
		}
		written, err := write.CloseAndRecv()
		checkReply(t, written, err, &bytestream.WriteResponse{CommittedSize: 13})

		read, err := client.Read(ctx, &bytestream.ReadRequest{ResourceName: "r"})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		for {
			part, err := read.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Write(part.Data)
		}
		if got.String() != "one two three" {
			t.Errorf("read %q", got.String())
		}
		if parts := read.Trailer().Get("parts"); !slices.Equal(parts, []string{"all"}) {
			t.Errorf("got the trailer parts %q, want all", parts)
		}

		read, err = client.Read(ctx, &bytestream.ReadRequest{ResourceName: "other"})
		if err == nil {
			_, err = read.Recv()
		}
		if status.Code(err) != codes.NotFound {
			t.Errorf("got %v, want %v", err, codes.NotFound)
		}
	})
}

// RegisterOn and ClientOn serve every further service on the one socket, of whatever stubs.
func TestServicesOfOldStubsShareASocket(t *testing.T) {
	overEachTransport(t, func(t *testing.T, direct bool, opts ...runtime.DialOption) {
		service := &keyService{encrypt: func(ctx context.Context, request *kms.EncryptRequest) (*kms.EncryptResponse, error) {
			checkTransport(t, ctx, direct)
			return &kms.EncryptResponse{Ciphertext: request.Plaintext}, nil
		}}
		server, err := bytestreamudsgrpc.NewByteStreamUDSServer(socketPath(t), &memory{t: t, direct: direct})
		if err != nil {
			t.Fatal(err)
		}
		runtime.RegisterOn(server, kms.RegisterKeyManagementServiceServer, kms.KeyManagementServiceServer(service))
		serve(t, server)
		if metadata := server.GetServiceInfo()["v2.KeyManagementService"].Metadata; metadata != "api.proto" {
			t.Errorf("the file of the service is %v, want api.proto", metadata)
		}

		_, conn, err := bytestreamudsgrpc.DialByteStreamUDS(server.Path(), opts...)
		if err != nil {
			t.Fatal(err)
		}
		client, err := runtime.ClientOn(conn, kms.NewKeyManagementServiceClient)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := client.Encrypt(soon(t), &kms.EncryptRequest{Plaintext: []byte("secret")})
		if err != nil || string(reply.Ciphertext) != "secret" {
			t.Errorf("got %v, %v", reply, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if _, err := client.Encrypt(soon(t), &kms.EncryptRequest{}); status.Code(err) != codes.Canceled {
			t.Errorf("after the end of the connection: got %v, want %v", err, codes.Canceled)
		}
		if _, err := runtime.ClientOn(conn, kms.NewKeyManagementServiceClient); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a client on a closed connection: got %v, want %v", err, net.ErrClosed)
		}
	})
}
