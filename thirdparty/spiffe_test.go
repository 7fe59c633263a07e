package thirdparty_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/thirdparty/gen/workloadudsgrpc"
)

// spiffeAgent issues one SVID, to clients that state their intent with the header that the SPIFFE
// Workload API requires.
type spiffeAgent struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	svid *workload.X509SVID
}

func (a spiffeAgent) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	if !slices.Equal(metadata.ValueFromIncomingContext(stream.Context(), "workload.spiffe.io"), []string{"true"}) {
		return status.Error(codes.InvalidArgument, "security header missing: send workload.spiffe.io: true")
	}
	if err := stream.Send(&workload.X509SVIDResponse{Svids: []*workload.X509SVID{a.svid}}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func TestGoSPIFFEFetchesX509SVID(t *testing.T) {
	t.Parallel()
	ctx := soon(t)
	path, want := serveAgent(t)
	client, err := workloadapi.New(ctx, workloadapi.WithAddr("unix://"+path))
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, client)
	got, err := client.FetchX509SVID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID.String() != want.SpiffeId || !slices.Equal(got.Certificates[0].Raw, want.X509Svid) {
		t.Errorf("got an SVID for %s, want the one issued for %s", got.ID, want.SpiffeId)
	}
}

func TestClientSendsTheHeaderThatSPIFFERequires(t *testing.T) {
	t.Parallel()
	path, want := serveAgent(t)
	client, conn, err := workloadudsgrpc.DialSpiffeWorkloadAPIUDS(path)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, conn)
	ctx := metadata.AppendToOutgoingContext(soon(t), "workload.spiffe.io", "true")
	stream, err := client.FetchX509SVID(ctx, &workload.X509SVIDRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	checkReply(t, got, err, &workload.X509SVIDResponse{Svids: []*workload.X509SVID{want}})
}

// serveAgent runs an agent until the end of the test and returns what it issues.
func serveAgent(t *testing.T) (path string, svid *workload.X509SVID) {
	t.Helper()
	svid = issueSVID(t, "spiffe://example.org/workload")
	server, err := workloadudsgrpc.NewSpiffeWorkloadAPIUDSServer(socketPath(t), spiffeAgent{svid: svid})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, server)
	return server.Path(), svid
}

// issueSVID returns an SVID that is its own authority.
func issueSVID(t *testing.T, id string) *workload.X509SVID {
	t.Helper()
	uri, err := url.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		URIs:         []*url.URL{uri},
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &workload.X509SVID{SpiffeId: id, X509Svid: certificate, X509SvidKey: pkcs8, Bundle: certificate}
}
