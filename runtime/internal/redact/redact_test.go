package redact_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	vaulttestv1 "github.com/udsgrpc/udsgrpc/runtime/internal/fixture/gen/vaulttest/v1"
	"github.com/udsgrpc/udsgrpc/runtime/internal/redact"
)

const secret = "s3cr3t"

// secrets has one in each kind of field.
func secrets() *vaulttestv1.Item {
	item := &vaulttestv1.Item{
		Text: "seen", Password: secret, Key: []byte(secret), Pin: 53377, Words: []string{secret}, Named: map[string]string{secret: secret},
		Hidden: &vaulttestv1.Item{Text: secret}, Sort: vaulttestv1.Sort_SORT_HIDDEN, Sorts: []vaulttestv1.Sort{vaulttestv1.Sort_SORT_OPEN, vaulttestv1.Sort_SORT_HIDDEN, 77},
		Mail: secret, Phone: secret, City: "seen", Choice: &vaulttestv1.Item_Token{Token: secret},
	}
	proto.SetExtension(item, vaulttestv1.E_ExtendedSecret, secret)
	proto.SetExtension(item, vaulttestv1.E_Extended, "seen")
	return item
}

const shown = `"text":"seen","password":"[redacted]","key":"[redacted]","pin":"[redacted]","words":"[redacted]","named":"[redacted]",` +
	`"hidden":"[redacted]","sort":"[redacted]","sorts":["SORT_OPEN","[redacted]",77],"mail":"[redacted]","phone":"[redacted]","city":"seen",` +
	`"token":"[redacted]","[vaulttest.v1.extended_secret]":"[redacted]","[vaulttest.v1.extended]":"seen"`

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestSecretsAreReplacedWhereverTheyAre(t *testing.T) {
	t.Parallel()
	const any = `{"@type":"type.googleapis.com/vaulttest.v1.Item",` + shown + `}`
	for name, c := range map[string]struct {
		m    *vaulttestv1.Item
		want string
	}{
		"here":           {secrets(), `{` + shown + `}`},
		"nested":         {&vaulttestv1.Item{Nested: secrets()}, `{"nested":{` + shown + `}}`},
		"in a list":      {&vaulttestv1.Item{Items: []*vaulttestv1.Item{{}, secrets()}}, `{"items":[{},{` + shown + `}]}`},
		"in a map":       {&vaulttestv1.Item{ByName: map[string]*vaulttestv1.Item{"b": {}, "a": secrets()}}, `{"byName":{"a":{` + shown + `},"b":{}}}`},
		"in an Any":      {&vaulttestv1.Item{Any: pack(t, secrets())}, `{"any":` + any + `}`},
		"in an Any's":    {&vaulttestv1.Item{Any: pack(t, pack(t, secrets()))}, `{"any":{"@type":"type.googleapis.com/google.protobuf.Any","value":` + any + `}}`},
		"of no type":     {&vaulttestv1.Item{Any: &anypb.Any{TypeUrl: "x/y.Z", Value: []byte(secret)}}, `{"any":{"@type":"x/y.Z","value":"[redacted]"}}`},
		"of wrong bytes": {&vaulttestv1.Item{Any: &anypb.Any{TypeUrl: "x/vaulttest.v1.Item", Value: []byte(secret)}}, `{"any":{"@type":"x/vaulttest.v1.Item","value":"[redacted]"}}`},
	} {
		got := redact.JSON(c.m)
		if got != c.want {
			t.Errorf("%s it is\n%s, want\n%s", name, got, c.want)
		}
		if strings.Contains(got, secret) || strings.Contains(got, "53377") || !json.Valid([]byte(got)) {
			t.Errorf("%s a secret is shown, or it is no JSON: %s", name, got)
		}
	}
	unknown := &vaulttestv1.Item{}
	unknown.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 9999, protowire.BytesType), secret))
	if got := redact.JSON(unknown); got != "{}" {
		t.Errorf("a field that is not known is shown as %s", got)
	}
}

// Everything else is as protobuf's own JSON.
func TestOtherFieldsAreInTheJSONOfProtobuf(t *testing.T) {
	t.Parallel()
	fields, err := structpb.NewStruct(map[string]any{"a": []any{1.5, nil, "x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*vaulttestv1.Item{
		nil,
		{},
		{Text: "\x00\"\\\u2028 é <>", Data: []byte{0, 255}, Big: math.MinInt64, Number: math.Inf(-1), Small: 0.1, Yes: true, Count: math.MaxUint32},
		{Number: math.NaN(), Small: float32(math.Inf(1)), Numbers: map[int32]uint64{-1: math.MaxUint64, 7: 0}},
		{Number: 1e300, Small: -1e-30, Choice: &vaulttestv1.Item_Label{Label: ""}},
		{Time: timestamppb.New(timestamppb.Now().AsTime()), Struct: fields, Value: structpb.NewNullValue()},
		{Any: pack(t, wrapperspb.Int64(7)), Sort: vaulttestv1.Sort_SORT_OPEN, Sorts: []vaulttestv1.Sort{0, 1, 9}},
	} {
		got := redact.JSON(m)
		again := new(vaulttestv1.Item)
		if err := protojson.Unmarshal([]byte(got), again); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		if want := orEmpty(m); !proto.Equal(again, want) {
			t.Errorf("%v is shown as %s", want, got)
		}
	}
	if got := redact.JSON(&vaulttestv1.Item{Text: "\xff"}); got != `{"text":"`+"\uFFFD"+`"}` {
		t.Errorf("bytes that are no text are shown as %s", got)
	}
	if got := redact.JSON(&vaulttestv1.Item{Time: &timestamppb.Timestamp{Nanos: -5}}); got != `{"time":"invalid"}` {
		t.Errorf("a time that is none is shown as %s", got)
	}
}

func orEmpty(m *vaulttestv1.Item) *vaulttestv1.Item {
	if m == nil {
		return new(vaulttestv1.Item)
	}
	return m
}

func TestMessagesMayBeDeep(t *testing.T) {
	t.Parallel()
	item := new(vaulttestv1.Item)
	for range 10_000 {
		item = &vaulttestv1.Item{Nested: item}
	}
	if got := redact.JSON(item); !json.Valid([]byte(got)) || len(got) > 10_000 {
		t.Errorf("it is shown in %d bytes", len(got))
	}
}

func TestHeadersThatMayBeSecretAreReplaced(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"authorization", "Authorization", "proxy-authorization", "cookie", "set-cookie", "trace-bin", "x-api-key", "X-Amz-Security-Token"} {
		if got := redact.Header(key, secret); got != redact.Placeholder {
			t.Errorf("%s is shown as %q", key, got)
		}
	}
	for _, key := range []string{"x-request-id", "traceparent", "user-agent", ":authority"} {
		if got := redact.Header(key, "a"); got != "a" {
			t.Errorf("%s is shown as %q", key, got)
		}
	}
}
