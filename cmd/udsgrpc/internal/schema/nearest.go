package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// suggest ends a sentence about a name that is none of names.
func suggest(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("the nearest is %s", near)
	}
	if len(names) == 0 {
		return "there is none at all"
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
}

// nearest returns that of names which is most like name, or "" if none is much like it. A package may be left out.
func nearest(name string, names []string) (near string) {
	best := 1 + max(2, len(name)/3) // two letters that changed places count as two
	for _, candidate := range names {
		distance := distance(name, candidate)
		if last := candidate[strings.LastIndexByte(candidate, '.')+1:]; last != candidate {
			distance = min(distance, 1+levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(last)))
		}
		if distance < min(best, len(name), len(candidate)) {
			best, near = distance, candidate
		}
	}
	return near
}

func distance(a, b string) int {
	return levenshtein.ComputeDistance(strings.ToLower(a), strings.ToLower(b))
}

// CheckFields returns an error, which wraps ErrUnknown, if a JSON object has a field that the message lacks. What is
// otherwise wrong with the object is left to package protojson.
func CheckFields(object []byte, message protoreflect.MessageDescriptor) error {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil
	}
	return checkMessage(value, message)
}

func checkMessage(value any, message protoreflect.MessageDescriptor) error {
	object, ok := value.(map[string]any)
	// The types of this package have a form of their own in JSON.
	if !ok || message.ParentFile().Package() == "google.protobuf" {
		return nil
	}
	for key, value := range object {
		field := fieldOf(message, key)
		if field == nil && strings.HasPrefix(key, "[") {
			continue // an extension
		}
		if field == nil {
			return fmt.Errorf("%w: %s has no field %q; %s", ErrUnknown, message.FullName(), key, suggest(key, fieldNames(message)))
		}
		if err := checkField(value, field); err != nil {
			return err
		}
	}
	return nil
}

func checkField(value any, field protoreflect.FieldDescriptor) error {
	var values []any
	message := field.Message()
	switch {
	case field.IsMap():
		message = field.MapValue().Message()
		entries, _ := value.(map[string]any)
		for _, v := range entries {
			values = append(values, v)
		}
	case field.IsList():
		values, _ = value.([]any)
	default:
		values = []any{value}
	}
	if message == nil {
		return nil
	}
	for _, v := range values {
		if err := checkMessage(v, message); err != nil {
			return err
		}
	}
	return nil
}

// fieldOf returns the field with a name, in the form of JSON or of the .proto file.
func fieldOf(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(name); field != nil {
		return field
	}
	return message.Fields().ByTextName(name)
}

func fieldNames(message protoreflect.MessageDescriptor) (names []string) {
	for i := range message.Fields().Len() {
		names = append(names, message.Fields().Get(i).JSONName())
	}
	return names
}
