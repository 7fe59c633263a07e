package redact

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// isSecret reports whether a field is one that nobody shall see.
func isSecret(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)
	if !ok || options == nil {
		return false
	}
	if options.GetDebugRedact() {
		return true
	}
	secret := false
	options.ProtoReflect().Range(func(option protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case option.Kind() != protoreflect.EnumKind || option.IsMap():
		case option.IsList():
			for i := range v.List().Len() {
				secret = secret || isSecretValue(option.Enum(), v.List().Get(i).Enum())
			}
		default:
			secret = isSecretValue(option.Enum(), v.Enum())
		}
		return !secret
	})
	return secret
}

func isSecretValue(enum protoreflect.EnumDescriptor, n protoreflect.EnumNumber) bool {
	value := enum.Values().ByNumber(n)
	if value == nil {
		return false
	}
	options, ok := value.Options().(*descriptorpb.EnumValueOptions)
	return ok && options.GetDebugRedact()
}
