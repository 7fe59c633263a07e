package filewalk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
)

// A walker visits the files of a message: fields by number, lists by index, maps by key. A field that is
// not set is not visited, nor are unknown fields and extensions.
type walker struct {
	visit func(file protoreflect.Message) error
	path  []step // to what is visited
}

// A step leads from a message to one in it.
type step struct {
	field protoreflect.FieldDescriptor
	index int                 // in a list
	key   protoreflect.MapKey // in a map
}

// walk returns the first error of visit.
func (w *walker) walk(p *plan, m protoreflect.Message) error {
	if p.isFile {
		return w.visit(m)
	}
	for _, f := range p.fields {
		if !m.Has(f.desc) {
			continue
		}
		if err := w.walkField(f, m.Get(f.desc)); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) walkField(f field, value protoreflect.Value) error {
	switch {
	case f.desc.IsList():
		list := value.List()
		for i := range list.Len() {
			if err := w.into(step{field: f.desc, index: i}, f.value, list.Get(i).Message()); err != nil {
				return err
			}
		}
	case f.desc.IsMap():
		for _, key := range sortedKeys(value.Map()) {
			if err := w.into(step{field: f.desc, key: key}, f.value, value.Map().Get(key).Message()); err != nil {
				return err
			}
		}
	default:
		return w.into(step{field: f.desc}, f.value, value.Message())
	}
	return nil
}

// into leaves the path as it is when visit has failed.
func (w *walker) into(s step, p *plan, m protoreflect.Message) error {
	w.path = append(w.path, s)
	if err := w.walk(p, m); err != nil {
		return err
	}
	w.path = w.path[:len(w.path)-1]
	return nil
}

func sortedKeys(m protoreflect.Map) []protoreflect.MapKey {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, compareKeys)
	return keys
}

// compareKeys compares keys of one map.
func compareKeys(a, b protoreflect.MapKey) int {
	switch x := a.Interface().(type) {
	case bool:
		return cmp.Compare(b2i(x), b2i(b.Bool()))
	case int32, int64:
		return cmp.Compare(a.Int(), b.Int())
	case uint32, uint64:
		return cmp.Compare(a.Uint(), b.Uint())
	default:
		return cmp.Compare(a.String(), b.String())
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// where names what is visited, as in log.v1.TailRequest.outputs[2].
func (w *walker) where(message protoreflect.MessageDescriptor) string {
	var name strings.Builder
	name.WriteString(string(message.FullName()))
	for _, s := range w.path {
		name.WriteString("." + string(s.field.Name()))
		switch {
		case s.field.IsList():
			name.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.field.IsMap() && s.field.MapKey().Kind() == protoreflect.StringKind:
			name.WriteString("[" + strconv.Quote(s.key.String()) + "]")
		case s.field.IsMap():
			name.WriteString("[" + s.key.String() + "]")
		}
	}
	return name.String()
}

// fieldName returns the name of the field that is visited, as in log.v1.TailRequest.output.
func (w *walker) fieldName(message protoreflect.MessageDescriptor) string {
	if len(w.path) == 0 {
		return string(message.FullName())
	}
	return string(w.path[len(w.path)-1].field.FullName())
}

// idOf returns the id of a File, whatever its Go type.
func idOf(file protoreflect.Message) uint64 {
	return file.Get(file.Descriptor().Fields().ByNumber(1)).Uint()
}

// slotIn returns where a File keeps what it holds; nil if it cannot hold anything, because it is no value,
// or one of another Go type, such as dynamicpb's.
func slotIn(file protoreflect.Message) *openfile.Slot {
	if !file.IsValid() {
		return nil
	}
	return openfile.In(file.Interface())
}
