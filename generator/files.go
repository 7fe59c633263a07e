package generator

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/compiler/protogen"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// carriers are the message types in which open files can be: udsgrpc.v1.File, and those with a field, at
// any depth, of that type. Extensions are no fields of a message, and carry none.
type carriers map[*protogen.Message]bool

// newCarriers finds those that the services of targets use.
func newCarriers(targets []target) carriers {
	found := make(carriers)
	for _, target := range targets {
		for _, service := range target.file.Services {
			for _, method := range service.Methods {
				found.reach(method.Input)
				found.reach(method.Output)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for message, carries := range found {
			if !carries && slices.ContainsFunc(message.Fields, func(f *protogen.Field) bool { return found[f.Message] }) {
				found[message], changed = true, true
			}
		}
	}
	return found
}

// reach notes a type, and all that it refers to. Only File itself is known to carry files yet.
func (c carriers) reach(message *protogen.Message) {
	if _, reached := c[message]; reached {
		return
	}
	c[message] = message.Desc.FullName() == fileName
	for _, field := range message.Fields {
		if field.Message != nil {
			c.reach(field.Message)
		}
	}
}

// checkFileType reports a File whose Go type is not that of this project, which alone can hold an open file.
func (c carriers) checkFileType() error {
	for message, carries := range c {
		if carries && message.Desc.FullName() == fileName && message.GoIdent.GoImportPath != filePath {
			return fmt.Errorf("%s: the Go package of message %s is %q, and only in %q can it hold an open file: "+
				"leave the go_package option of the file as it is, and generate no code for it",
				printable(message.Desc.ParentFile().Path()), fileName, string(message.GoIdent.GoImportPath), filePath)
		}
	}
	return nil
}

const filePath = modulePath + "/proto/udsgrpc/v1"

var fileName = (*udsgrpcv1.File)(nil).ProtoReflect().Descriptor().FullName()

// of returns the methods of a service that carry files, in descriptor order.
func (c carriers) of(service *protogen.Service) (methods []*protogen.Method) {
	for _, method := range service.Methods {
		if c[method.Input] || c[method.Output] {
			methods = append(methods, method)
		}
	}
	return methods
}

// in tells whether a method of the file carries files.
func (c carriers) in(file *protogen.File) bool {
	return slices.ContainsFunc(file.Services, func(s *protogen.Service) bool { return len(c.of(s)) > 0 })
}

// generateComment prints a paragraph on which methods carry files, if there are any; limit is the option
// that says how many.
func (c carriers) generateComment(g printer, service *protogen.Service, limit string) {
	methods := c.of(service)
	if len(methods) == 0 {
		return
	}
	g.P("//")
	comment(g, "Messages of these methods can have open files, in fields of type ", string(fileName), ":")
	g.P("//")
	for _, method := range methods {
		where := "requests and responses"
		switch {
		case !c[method.Output]:
			where = "requests"
		case !c[method.Input]:
			where = "responses"
		}
		g.P("//   - ", string(method.Desc.Name()), ": in ", where)
	}
	g.P("//")
	comment(g, "[", runtimeName, ".ShareFile] and [", runtimeName, ".GiveFile] make one to send, its method Take is for ",
		"the receiver, and [", runtimeName, ".", limit, "] says how many a message may have.")
}

// generateFilesHandshake prints a reference that compiles only with a runtime that carries files.
func generateFilesHandshake(g *protogen.GeneratedFile) {
	g.P("// The same for open files in messages.")
	g.P("const _ = ", runtimeName, ".SupportsFiles1")
	g.P()
}
