package generator

import "google.golang.org/protobuf/compiler/protogen"

// names holds every identifier that the code generated for a service declares or refers to.
type names struct {
	// Declared by the generated code.
	newServer string
	dial      string

	// Declared by the base stubs, qualified if they are in another package.
	serverType     string
	registerServer string
	clientType     string
	newClient      string

	// imported says that the base stubs are in another package, and so may be somebody else's and of
	// any age.
	imported bool
}

// newNames returns the names of service. If base is not empty, it is the name under which the
// base stubs are imported.
func newNames(service *protogen.Service, base string) names {
	imported := base != ""
	if imported {
		base += "."
	}
	return names{
		newServer:      "New" + service.GoName + "UDSServer",
		dial:           "Dial" + service.GoName + "UDS",
		serverType:     base + service.GoName + "Server",
		registerServer: base + "Register" + service.GoName + "Server",
		clientType:     base + service.GoName + "Client",
		newClient:      base + "New" + service.GoName + "Client",
		imported:       imported,
	}
}
