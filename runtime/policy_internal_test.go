package runtime

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/fixture"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// declare makes the descriptor of a service known whose one method, Call, has a rule.
func declare(t *testing.T, name string, rule *udsgrpcv1.Rule) *grpc.ServiceDesc {
	t.Helper()
	options := &descriptorpb.MethodOptions{}
	proto.SetExtension(options, udsgrpcv1.E_Method, rule)
	empty := new(".google.protobuf.Empty")
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:       new(name + ".proto"),
		Package:    new(name),
		Dependency: []string{"google/protobuf/empty.proto", "udsgrpc/v1/options.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   new("Service"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: new("Call"), InputType: empty, OutputType: empty, Options: options}},
		}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := protoregistry.GlobalFiles.FindFileByPath(file.Path()); err != nil { // else -count runs the test again
		if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return &grpc.ServiceDesc{ServiceName: name + ".Service", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Call"}}}
}

var _ = emptypb.File_google_protobuf_empty_proto // is needed to resolve the descriptor

func TestDeclaredUsersAndGroupsAreThoseOfTheRule(t *testing.T) {
	t.Parallel()
	desc := declare(t, "declared", &udsgrpcv1.Rule{
		Allow:      []udsgrpcv1.Rule_Caller{udsgrpcv1.Rule_ROOT},
		AllowUser:  []string{"12", "root"},
		AllowGroup: []string{"34"},
	})
	policy := declaredPolicies(desc)["/declared.Service/Call"]
	if got, want := policy.String(), "(root or user 12 or root or group 34)"; got != want {
		t.Errorf("the rule is %q, want %q", got, want)
	}
	for _, c := range []struct {
		peer socket.Peer
		in   bool
	}{
		{socket.Peer{UID: 0, HasUID: true}, true},
		{socket.Peer{UID: 12, HasUID: true}, true},
		{socket.Peer{UID: 1, GID: 34, HasUID: true}, true},
		{socket.Peer{UID: 34, GID: 12, HasUID: true}, false},
	} {
		if policy.Permits(c.peer) != c.in {
			t.Errorf("the rule lets in %v: %v", c.peer, !c.in)
		}
	}
}

// A service that is registered beside others is not known when the server is made.
func TestUnknownNameInTheRuleOfALaterServiceStopsTheServer(t *testing.T) {
	t.Parallel()
	srv, err := NewServer(fixture.FreePath(t), SocketMode(0o666))
	if err != nil {
		t.Fatal(err)
	}
	srv.RegisterService(declare(t, "unknown", &udsgrpcv1.Rule{AllowUser: []string{"no-such-user"}}), struct{}{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Serve(over); err == nil || !strings.Contains(err.Error(), `the rule of /unknown.Service/Call: user "no-such-user"`) {
		t.Errorf("Serve returned %v", err)
	}
}

func TestConfigurationDoesNotChangeWithServicesOrState(t *testing.T) {
	t.Parallel()
	s, err := NewServer(fixture.FreePath(t), Takeover(), AuthorizeMethod("/constant.Service/Call", SameUser()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := fmt.Sprintf("%+v", *s.config)
	s.RegisterService(declare(t, "constant", &udsgrpcv1.Rule{AllowUser: []string{"root"}}), struct{}{})
	if _, ok := s.auth.declared["/constant.Service/Call"]; !ok {
		t.Error("the server does not know the rule of its service")
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if after := fmt.Sprintf("%+v", *s.config); after != before {
		t.Errorf("the configuration was\n%s\nand is\n%s", before, after)
	}
}

// No number that stands for "unknown" may match by accident.
func TestUnknownPeerMatchesNoRuleButAnyone(t *testing.T) {
	t.Parallel()
	for _, p := range []socket.Peer{
		{},
		{UID: -1, GID: -1},
		{UID: 0, GID: 0, Groups: []int{0}, PID: 1, HasPID: true},
		{UID: 4711, GID: -1, HasUID: true},
	} {
		for _, policy := range []Policy{{}, Root(), SameUser(), AllowUID(-1, 0, 65534), AllowGID(-1, 0, 65534), Any(Root(), AllowGID(-1))} {
			if policy.Permits(p) {
				t.Errorf("%v lets in %+v", policy, p)
			}
		}
		if !Anyone().Permits(p) {
			t.Errorf("anyone keeps out %+v", p)
		}
	}
}
