// Package filewalk finds the open files in the fields of a message, for whoever sends or receives it: the
// values of type udsgrpc.v1.File, which hold the files that package openfile knows.
//
// A sender calls [ForSending] before it encodes a message, and gets the files that go with it (send.go). It
// asks [Files] for the descriptors each time that it sends the message, before that to keep them if the
// program may have closed its own by then, and says in the end that it is done. A message that fails on the
// way to ForSending is for [Discard]. A receiver collects what comes in an [Arrival], which puts it into
// the fields of the decoded message (receive.go).
//
// Where a message can have files is told from its type, once (plan.go). Both ends visit the fields in the
// same order (walk.go).
package filewalk

import (
	"cmp"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"

	udsgrpcv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/v1"
)

// A plan says where in the messages of a type there may be open files.
type plan struct {
	desc   protoreflect.MessageDescriptor
	isFile bool
	fields []field // those that lead to a file, by number
	leads  bool    // the type is File, or has fields
}

// A field is one that is a message, a list or a map.
type field struct {
	desc  protoreflect.FieldDescriptor
	value *plan // of the message, or of each in the list or map
}

// plans holds the plan of each Go type of a message: a fact about the program, which no call can change.
// Messages without a Go type of their own, such as those of dynamicpb, share one. The first description
// that comes with it is kept; others are planned each time, so that a program that makes up
// descriptions does not fill the memory.
var plans sync.Map // of *plan, by reflect.Type

// planOf returns the plan for a message that was sent or received, and the message; nil if it has no files.
func planOf(message any) (*plan, protoreflect.Message) {
	m, ok := message.(proto.Message)
	if !ok {
		old, ok := message.(protoadapt.MessageV1)
		if !ok {
			return nil, nil // of a codec of the program
		}
		m = protoadapt.MessageV2Of(old)
	}
	goType := reflect.TypeOf(m)
	known, ok := plans.Load(goType)
	reflection := m.ProtoReflect()
	desc := reflection.Descriptor()
	if !ok {
		known, _ = plans.LoadOrStore(goType, newPlan(desc))
	}
	p := known.(*plan)
	if p.desc != desc {
		p = newPlan(desc)
	}
	if !p.leads || !reflection.IsValid() {
		return nil, nil
	}
	return p, reflection
}

// MayHold tells whether a message can hold open files, by its type.
func MayHold(message any) bool {
	p, _ := planOf(message)
	return p != nil
}

// newPlan follows the fields from a type to all that it refers to, and then back from File.
func newPlan(desc protoreflect.MessageDescriptor) *plan {
	reached := make(map[protoreflect.FullName]*plan)
	first := reach(desc, reached)
	for changed := true; changed; {
		changed = false
		for _, p := range reached {
			if !p.leads && slices.ContainsFunc(p.fields, func(f field) bool { return f.value.leads }) {
				p.leads, changed = true, true
			}
		}
	}
	for _, p := range reached {
		p.fields = slices.DeleteFunc(p.fields, func(f field) bool { return !f.value.leads })
	}
	return first
}

// reach returns the plan of a type with all its fields that are messages, and adds it to reached, and those
// of the fields. Extensions are not among the fields of a type.
func reach(desc protoreflect.MessageDescriptor, reached map[protoreflect.FullName]*plan) *plan {
	if p, ok := reached[desc.FullName()]; ok {
		return p
	}
	p := &plan{desc: desc}
	reached[desc.FullName()] = p
	if desc.FullName() == fileName {
		p.isFile, p.leads = true, true
		return p
	}
	for i := range desc.Fields().Len() {
		f := desc.Fields().Get(i)
		value := f.Message()
		if f.IsMap() {
			value = f.MapValue().Message()
		}
		if value != nil {
			p.fields = append(p.fields, field{f, reach(value, reached)})
		}
	}
	slices.SortFunc(p.fields, func(a, b field) int { return cmp.Compare(a.desc.Number(), b.desc.Number()) })
	return p
}

var fileName = (*udsgrpcv1.File)(nil).ProtoReflect().Descriptor().FullName()
