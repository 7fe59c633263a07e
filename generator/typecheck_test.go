package generator_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

const runtimePath = "github.com/udsgrpc/udsgrpc/runtime"

// runtimeStub has what generated code uses of the runtime.
const runtimeStub = `package runtime

const SupportsGenerated1 = true

type (
	Server       struct{}
	ClientConn   struct{}
	ServerOption func()
	DialOption   func()
	Policy       struct{}
)

func NewServer(path string, opts ...ServerOption) (*Server, error) { return nil, nil }

func DeclaredPolicies(policies map[string]Policy) ServerOption { return nil }

func SameUser() Policy { return Policy{} }

func Root() Policy { return Policy{} }

func Anyone() Policy { return Policy{} }

func Any(policies ...Policy) Policy { return Policy{} }

func Dial(path string, opts ...DialOption) (*ClientConn, error) { return nil, nil }

func (*ClientConn) Close() error { return nil }

func RegisterOn[Registrar, Impl any](server *Server, register func(Registrar, Impl), impl Impl) {}

func ClientOn[Conn, Client any](conn *ClientConn, newClient func(Conn) Client) (client Client, err error) {
	return client, nil
}
`

// baseStub returns declarations with the names that protoc-gen-go and protoc-gen-go-grpc declare
// for file. It is written from what those do, not from what the generator thinks of it.
func baseStub(file *protogen.File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", file.GoPackageName)
	stubTypes(&b, file.Enums, file.Messages)
	for _, extension := range file.Extensions {
		fmt.Fprintf(&b, "var E_%s int\n", extension.GoIdent.GoName)
	}
	for _, service := range file.Services {
		name := service.GoName
		fmt.Fprintf(&b, "type %sServer interface{}\n", name)
		fmt.Fprintf(&b, "type %sClient interface{}\n", name)
		fmt.Fprintf(&b, "type Unimplemented%sServer struct{}\n", name)
		fmt.Fprintf(&b, "type Unsafe%sServer interface{}\n", name)
		fmt.Fprintf(&b, "var %s_ServiceDesc int\n", name)
		fmt.Fprintf(&b, "func New%sClient(cc interface{}) %sClient { return nil }\n", name, name)
		fmt.Fprintf(&b, "func Register%sServer(s interface{}, srv %sServer) {}\n", name, name)
		for _, method := range service.Methods {
			fmt.Fprintf(&b, "const %s_%s_FullMethodName = 0\n", name, method.GoName)
			if method.Desc.IsStreamingClient() || method.Desc.IsStreamingServer() {
				fmt.Fprintf(&b, "type %s_%sClient interface{}\n", name, method.GoName)
				fmt.Fprintf(&b, "type %s_%sServer interface{}\n", name, method.GoName)
			}
		}
	}
	return b.String()
}

func stubTypes(b *strings.Builder, enums []*protogen.Enum, messages []*protogen.Message) {
	for _, enum := range enums {
		fmt.Fprintf(b, "type %s int32\n", enum.GoIdent.GoName)
		fmt.Fprintf(b, "var %s_name, %s_value int\n", enum.GoIdent.GoName, enum.GoIdent.GoName)
		for _, value := range enum.Values {
			fmt.Fprintf(b, "const %s = 0\n", value.GoIdent.GoName)
		}
	}
	for _, message := range messages {
		fmt.Fprintf(b, "type %s struct{}\n", message.GoIdent.GoName)
		for _, field := range message.Fields {
			if field.Oneof != nil && !field.Oneof.Desc.IsSynthetic() {
				fmt.Fprintf(b, "type %s struct{}\n", field.GoIdent.GoName)
			}
		}
		stubTypes(b, message.Enums, message.Messages)
	}
}

// A checker type-checks Go source without a build. It imports what was checked before.
type checker struct {
	packages map[string]*types.Package
}

func newChecker() (*checker, error) {
	c := &checker{packages: make(map[string]*types.Package)}
	return c, c.check(runtimePath, runtimeStub)
}

func (c *checker) Import(path string) (*types.Package, error) {
	if pkg, ok := c.packages[path]; ok {
		return pkg, nil
	}
	return nil, fmt.Errorf("no package %q", path)
}

// check checks the sources as the package with the given import path.
func (c *checker) check(path string, sources ...string) error {
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, source := range sources {
		file, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	config := types.Config{Importer: c}
	pkg, err := config.Check(path, files, parsed, nil)
	if err == nil {
		c.packages[path] = pkg
	}
	return err
}
