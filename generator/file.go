package generator

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
)

const (
	modulePath     = "github.com/udsgrpc/udsgrpc"
	runtimeName    = "runtime"
	runtimePath    = modulePath + "/" + runtimeName
	filenameSuffix = "_udsgrpc.pb.go"
)

func generateFile(plugin *protogen.Plugin, target target, policies policies, carriers carriers) {
	g := plugin.NewGeneratedFile(target.filename, target.importPath)
	generateHeader(g, target)
	generateImports(g, target)
	generateHandshake(g)
	if carriers.in(target.file) {
		generateFilesHandshake(g)
	}
	for _, service := range target.file.Services {
		names := newNames(service, target.base)
		generateNewServer(g, target.file, service, names, policies[service], carriers)
		generateDial(g, target.file, service, names, carriers)
	}
}

// generateImports prints the import block. Letting protogen choose the names of imports would not
// do: it knows nothing of our parameters and locals, which could then hide an import.
func generateImports(g *protogen.GeneratedFile, target target) {
	if target.base == "" {
		g.P("import ", runtimeName, " ", strconv.Quote(runtimePath))
		g.P()
		return
	}
	imports := [][2]string{
		{string(target.file.GoImportPath), target.base},
		{runtimePath, runtimeName},
	}
	slices.SortFunc(imports, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	g.P("import (")
	for _, spec := range imports {
		g.P(spec[1], " ", strconv.Quote(spec[0]))
	}
	g.P(")")
	g.P()
}

// generateHandshake prints a reference that compiles only with a runtime that has what the
// generated code needs.
func generateHandshake(g *protogen.GeneratedFile) {
	comment(g, "If this does not compile, the module ", modulePath, " in use is older than the ",
		"protoc-gen-go-udsgrpc that generated this file. Update the module:")
	g.P("//")
	g.P("//\tgo get ", modulePath, "@latest")
	g.P("//")
	comment(g, "or generate this file again with the plugin of the module's version.")
	g.P("const _ = ", runtimeName, ".SupportsGenerated1")
	g.P()
}

func generateNewServer(g *protogen.GeneratedFile, file *protogen.File, service *protogen.Service, names names, policies []policy, carriers carriers) {
	doc := new(docComment)
	comment(doc, names.newServer, " claims the Unix domain socket at path, listens on it and registers srv there for ",
		string(service.Desc.FullName()), ". It returns once the socket accepts connections; call Serve on ",
		"the server to answer them, or Close to give the socket up.")
	doc.P("//")
	generatePolicyComment(doc, file, policies, "A path that is in use, or cannot be taken safely, is an error; "+
		"see [runtime.NewServer] for all of them and for the forms of path.")
	carriers.generateComment(doc, service, "MaxFiles")
	generateServiceComment(doc, file, service)
	doc.print(g)
	g.AnnotateSymbol(names.newServer, protogen.Annotation{Location: service.Location})
	g.P("func ", names.newServer, "(path string, srv ", names.serverType,
		", opts ...runtime.ServerOption) (*runtime.Server, error) {")
	generateServerCall(g, policies)
	g.P("if err != nil {")
	g.P("return nil, err")
	g.P("}")
	if names.imported {
		g.P("runtime.RegisterOn(server, ", names.registerServer, ", srv)")
	} else {
		g.P(names.registerServer, "(server, srv)")
	}
	g.P("return server, nil")
	g.P("}")
	g.P()
}

func generateDial(g *protogen.GeneratedFile, file *protogen.File, service *protogen.Service, names names, carriers carriers) {
	doc := new(docComment)
	comment(doc, names.dial, " returns a client for ", string(service.Desc.FullName()), " on the Unix domain ",
		"socket at path, and the connection it uses, which the caller must close. The connection ",
		"is made when first needed, so the server need not run yet.")
	doc.P("//")
	comment(doc, "An error means that path or opts cannot work; see [runtime.Dial].")
	carriers.generateComment(doc, service, "WithMaxFiles")
	generateServiceComment(doc, file, service)
	doc.print(g)
	g.AnnotateSymbol(names.dial, protogen.Annotation{Location: service.Location})
	g.P("func ", names.dial, "(path string, opts ...runtime.DialOption) (", names.clientType,
		", *runtime.ClientConn, error) {")
	g.P("conn, err := runtime.Dial(path, opts...)")
	g.P("if err != nil {")
	g.P("return nil, nil, err")
	g.P("}")
	if names.imported {
		g.P("client, err := runtime.ClientOn(conn, ", names.newClient, ")")
		g.P("if err != nil {")
		g.P("conn.Close()")
		g.P("return nil, nil, err")
		g.P("}")
		g.P("return client, conn, nil")
	} else {
		g.P("return ", names.newClient, "(conn), conn, nil")
	}
	g.P("}")
	g.P()
}

// generateServiceComment ends the comment of a function with what the .proto file says of the
// service.
func generateServiceComment(g printer, file *protogen.File, service *protogen.Service) {
	// If there is no comment, gofmt removes the empty lines.
	lines := safeLines(string(service.Comments.Leading))
	g.P("//")
	for _, line := range lines {
		g.P("//", line)
	}
	if deprecates(lines) {
		return
	}
	switch {
	case isDeprecatedService(service):
		g.P("//")
		comment(g, "Deprecated: service ", string(service.Desc.FullName()), " is marked as deprecated in ",
			printable(file.Desc.Path()), ".")
	case isDeprecatedFile(file):
		g.P("//")
		comment(g, "Deprecated: ", printable(file.Desc.Path()), " is marked as deprecated.")
	}
}

func isDeprecatedService(service *protogen.Service) bool {
	return service.Desc.Options().(*descriptorpb.ServiceOptions).GetDeprecated()
}

func isDeprecatedFile(file *protogen.File) bool {
	return file.Proto.GetOptions().GetDeprecated()
}
