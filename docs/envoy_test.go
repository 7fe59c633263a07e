package docs_test

import (
	"os"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/yaml"
)

// There is no Envoy to run here. Its types and their rules are Envoy's own, and so is the way to
// read a file: as JSON, strictly, with the extensions inside typed_config read as their types.
func TestGatewayForEnvoyIsOfEnvoysTypes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../examples/gateway/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	json, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(json, &bootstrap); err != nil {
		t.Fatal(err)
	}
	extensions := 0
	validate := func(m proto.Message) error {
		return m.(interface{ ValidateAll() error }).ValidateAll()
	}
	if err := validate(&bootstrap); err != nil {
		t.Error(err)
	}
	// The rules of a message do not reach into what it holds as Any.
	err = protorange.Range(bootstrap.ProtoReflect(), func(p protopath.Values) error {
		if p.Index(-1).Step.Kind() != protopath.AnyExpandStep {
			return nil
		}
		extensions++
		return validate(p.Index(-1).Value.Interface().(protoreflect.Message).Interface())
	})
	if err != nil {
		t.Error(err)
	}
	if extensions != 4 {
		t.Errorf("the file has %d extensions, want the TLS context, the connection manager, the router and the upstream's protocol", extensions)
	}
}
