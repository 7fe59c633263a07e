package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxDepth is how deep messages may be in one another.
const maxDepth = 100

// JSON returns a message in the JSON of protobuf, in one line and with [Placeholder] in place of each secret.
// The message is only read.
func JSON(m proto.Message) string {
	return string(appendMessage(nil, m.ProtoReflect(), 0))
}

func appendMessage(b []byte, m protoreflect.Message, depth int) []byte {
	name := m.Descriptor().FullName()
	switch {
	case depth > maxDepth:
		return appendString(b, "...")
	case name == "google.protobuf.Any":
		return appendAny(b, m, depth)
	case name.Parent() == "google.protobuf" && hasOwnJSON[name.Name()]:
		text, err := protojson.Marshal(m.Interface())
		if err != nil {
			return appendString(b, "invalid")
		}
		return append(b, text...)
	}
	return appendFields(append(b, '{'), m, depth)
}

// hasOwnJSON has the messages of protobuf that have a form of their own in JSON, and no fields that may be secret.
var hasOwnJSON = map[protoreflect.Name]bool{
	"Timestamp": true, "Duration": true, "FieldMask": true, "Struct": true, "Value": true, "ListValue": true, "Empty": true,
	"BoolValue": true, "BytesValue": true, "DoubleValue": true, "FloatValue": true, "Int32Value": true, "Int64Value": true,
	"StringValue": true, "UInt32Value": true, "UInt64Value": true,
}

// appendFields appends the fields and the end of an object that has begun.
func appendFields(b []byte, m protoreflect.Message, depth int) []byte {
	type field struct {
		desc  protoreflect.FieldDescriptor
		value protoreflect.Value
	}
	var fields []field
	m.Range(func(desc protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		fields = append(fields, field{desc, v})
		return true
	})
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.desc.Number(), b.desc.Number()) })
	for _, f := range fields {
		b = appendComma(b, '{')
		name := f.desc.JSONName()
		if f.desc.IsExtension() {
			name = "[" + string(f.desc.FullName()) + "]"
		}
		b = append(appendString(b, name), ':')
		switch {
		case isSecret(f.desc):
			b = appendString(b, Placeholder)
		case f.desc.IsList():
			b = appendList(b, f.desc, f.value.List(), depth)
		case f.desc.IsMap():
			b = appendMap(b, f.desc, f.value.Map(), depth)
		default:
			b = appendValue(b, f.desc, f.value, depth)
		}
	}
	return append(b, '}')
}

// appendAny appends what is in an Any. What is of an unknown type, and may be secret, is left out.
func appendAny(b []byte, m protoreflect.Message, depth int) []byte {
	var content anypb.Any
	fields := m.Descriptor().Fields()
	content.TypeUrl = m.Get(fields.ByNumber(1)).String()
	content.Value = m.Get(fields.ByNumber(2)).Bytes()
	b = appendString(append(b, `{"@type":`...), content.GetTypeUrl())
	inner, err := content.UnmarshalNew()
	switch {
	case err != nil:
		return append(appendString(append(b, `,"value":`...), Placeholder), '}')
	case inner.ProtoReflect().Descriptor().FullName() == "google.protobuf.Any",
		inner.ProtoReflect().Descriptor().FullName().Parent() == "google.protobuf" && hasOwnJSON[inner.ProtoReflect().Descriptor().Name()]:
		return append(appendMessage(append(b, `,"value":`...), inner.ProtoReflect(), depth+1), '}')
	}
	return appendFields(b, inner.ProtoReflect(), depth+1)
}

func appendList(b []byte, desc protoreflect.FieldDescriptor, list protoreflect.List, depth int) []byte {
	b = append(b, '[')
	for i := range list.Len() {
		b = appendValue(appendComma(b, '['), desc, list.Get(i), depth)
	}
	return append(b, ']')
}

func appendMap(b []byte, desc protoreflect.FieldDescriptor, values protoreflect.Map, depth int) []byte {
	names := map[string]protoreflect.MapKey{}
	values.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		names[key.String()] = key
		return true
	})
	b = append(b, '{')
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		b = append(appendString(appendComma(b, '{'), name), ':')
		b = appendValue(b, desc.MapValue(), values.Get(names[name]), depth)
	}
	return append(b, '}')
}

// appendValue appends one value: a field's, an element's of a list, or a value's of a map.
func appendValue(b []byte, desc protoreflect.FieldDescriptor, v protoreflect.Value, depth int) []byte {
	switch desc.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(b, v.Message(), depth+1)
	case protoreflect.EnumKind:
		return appendEnum(b, desc.Enum(), v.Enum())
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(b, v.Int(), 10)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(b, v.Uint(), 10)
	case protoreflect.FloatKind:
		return appendFloat(b, v.Float(), 32)
	case protoreflect.DoubleKind:
		return appendFloat(b, v.Float(), 64)
	case protoreflect.BytesKind:
		return appendString(b, base64.StdEncoding.EncodeToString(v.Bytes()))
	default: // strings, and numbers of 64 bits, which are strings in JSON
		return appendString(b, v.String())
	}
}

func appendEnum(b []byte, enum protoreflect.EnumDescriptor, n protoreflect.EnumNumber) []byte {
	value := enum.Values().ByNumber(n)
	switch {
	case isSecretValue(enum, n):
		return appendString(b, Placeholder)
	case enum.FullName() == "google.protobuf.NullValue":
		return append(b, "null"...)
	case value != nil:
		return appendString(b, string(value.Name()))
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return appendString(b, "NaN")
	case math.IsInf(f, 1):
		return appendString(b, "Infinity")
	case math.IsInf(f, -1):
		return appendString(b, "-Infinity")
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// appendComma appends a comma unless the object or list has just begun.
func appendComma(b []byte, begin byte) []byte {
	if b[len(b)-1] == begin {
		return b
	}
	return append(b, ',')
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(strings.ToValidUTF8(s, "\uFFFD")) // there is no error with strings
	return append(b, text...)
}
