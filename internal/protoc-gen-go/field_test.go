package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	before = `package udsgrpcv1

// An open file.
type File struct {
	state protoimpl.MessageState ` + "`protogen:\"open.v1\"`" + `
	// Set by the runtime.
	Id            uint64 ` + "`protobuf:\"fixed64,1,opt,name=id,proto3\" json:\"id,omitempty\"`" + `
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *File) Reset() { *x = File{} }
`
	added = "\tsizeCache     protoimpl.SizeCache\n\topenFile      // the file itself; see file.go. Put here by internal/protoc-gen-go\n}\n"
)

func TestFieldIsAdded(t *testing.T) {
	t.Parallel()
	got, err := addField(before)
	want := strings.Replace(before, "\tsizeCache     protoimpl.SizeCache\n}\n", added, 1)
	if err != nil || got != want {
		t.Errorf("got the error %v and:\n%s\nwant:\n%s", err, got, want)
	}
}

func TestRepositoryHasWhatIsGenerated(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../" + generatedFile)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), added) {
		t.Errorf("%s lacks the field: run 'make generate'", generatedFile)
	}
}

func TestStructThatIsNotAsExpectedIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct{ from, to, want string }{
		"another name":    {"type File struct", "type Open struct", "there is no struct File"},
		"no struct":       {"type File struct {", "type File int\ntype Other struct {", "there is no struct File"},
		"one field more":  {"\tunknownFields", "\textra int\n\tunknownFields", `has the fields ["state" "Id" "extra" "unknownFields" "sizeCache"]`},
		"one field less":  {"\tunknownFields protoimpl.UnknownFields\n", "", `has the fields ["state" "Id" "sizeCache"]`},
		"the field twice": {"\tunknownFields", "\topenFile\n\tunknownFields", `has the fields ["state" "Id" "" "unknownFields" "sizeCache"]`},
		"an opaque id":    {"Id            uint64", "xxx_hidden_Id uint64", `"xxx_hidden_Id"`},
		"no Go":           {"type File", "type type", "expected"},
	} {
		source := strings.Replace(before, change.from, change.to, 1)
		if source == before {
			t.Fatalf("%s: nothing was changed", name)
		}
		if got, err := addField(source); err == nil || !strings.Contains(err.Error(), change.want) || got != "" {
			t.Errorf("%s: got the error %v, want %q, and:\n%s", name, err, change.want, got)
		}
	}
}

func TestOnlyTheFileIsEdited(t *testing.T) {
	t.Parallel()
	file := func(name string) *pluginpb.CodeGeneratorResponse {
		return &pluginpb.CodeGeneratorResponse{File: []*pluginpb.CodeGeneratorResponse_File{{Name: &name, Content: new(before)}}}
	}
	edited := file(generatedFile)
	edited.File[0].Content = new(strings.Replace(before, "\tsizeCache     protoimpl.SizeCache\n}\n", added, 1))
	for name, test := range map[string]struct {
		asked          string
		response, want *pluginpb.CodeGeneratorResponse // no response for an error
	}{
		"the file":                  {protoFile, file(generatedFile), edited},
		"another file":              {"a.proto", file("a.pb.go"), file("a.pb.go")},
		"an error of the plugin":    {protoFile, &pluginpb.CodeGeneratorResponse{Error: new("no")}, &pluginpb.CodeGeneratorResponse{Error: new("no")}},
		"the file in another place": {protoFile, file("udsgrpc/v1/file.pb.go"), nil},
	} {
		request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{FileToGenerate: []string{test.asked}})
		if err != nil {
			t.Fatal(err)
		}
		response, err := proto.Marshal(test.response)
		if err != nil {
			t.Fatal(err)
		}
		response, err = edit(request, response)
		if test.want == nil {
			if err == nil || !strings.Contains(err.Error(), "generates no "+generatedFile) {
				t.Errorf("%s: got the error %v", name, err)
			}
			continue
		}
		got := new(pluginpb.CodeGeneratorResponse)
		if err := errors.Join(err, proto.Unmarshal(response, got)); err != nil || !proto.Equal(got, test.want) {
			t.Errorf("%s: got the error %v and %v", name, err, got)
		}
	}
}
