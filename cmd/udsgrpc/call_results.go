package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/udsgrpc/udsgrpc/runtime"

	// The types of details that most servers send.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
)

// callVerdict is the end of a call in JSON.
type callVerdict struct {
	Path    string            `json:"path"`
	Method  string            `json:"method"`
	Code    string            `json:"code"`
	Message string            `json:"message,omitempty"`
	Details []json.RawMessage `json:"details,omitempty"`
	// Header and Trailer have values in base64 for keys that end with -bin.
	Header    map[string][]string `json:"header,omitempty"`
	Trailer   map[string][]string `json:"trailer,omitempty"`
	Transport string              `json:"transport,omitempty"`
	Seconds   float64             `json:"seconds"`
	Status    int                 `json:"status"` // to exit with
}

// print prints a response.
func (e *exchange) print(response proto.Message) error {
	line, err := e.marshal(response)
	if err != nil {
		return fmt.Errorf("print a %s: %w", e.method.Output().FullName(), err)
	}
	if e.out.json {
		return e.out.object(map[string]json.RawMessage{"response": line})
	}
	_, err = fmt.Fprintf(e.out, "%s\n", line)
	return err
}

// marshal returns a message as JSON on one line, and always the same for the same message.
func (e *exchange) marshal(m proto.Message) (json.RawMessage, error) {
	text, err := protojson.MarshalOptions{Resolver: e.types}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return nil, err
	}
	return escapeControls(line.Bytes()), nil
}

// escapeControls escapes in JSON what JSON allows and a terminal obeys.
func escapeControls(text []byte) []byte {
	if bytes.IndexFunc(text, isUnprintable) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !isUnprintable(r) || r == '\ufffd':
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// explain returns the message of a call's error. What the runtime says of a server that the policy refuses is
// for a program; here a flag does it.
func explain(err error) string {
	var untrusted *runtime.UntrustedServerError
	if !errors.As(err, &untrusted) || !untrusted.Peer.HasUID {
		return status.Convert(err).Message()
	}
	return fmt.Sprintf("the server on %s is %v, and only those of %v are called: nothing was sent to it; if it is to be trusted, add --server-user %d",
		untrusted.Path, untrusted.Peer, untrusted.Policy, untrusted.Peer.UID)
}

// end tells how the call ended.
func (e *exchange) end(verb *cobra.Command, v callVerdict, err error) error {
	s := status.Convert(err)
	message := explain(err)
	exitStatus := codeStatus(s.Code())
	var details []json.RawMessage
	for _, detail := range s.Proto().GetDetails() {
		details = append(details, e.detail(detail))
	}
	if e.out.json {
		v.Code, v.Message, v.Details, v.Status = s.Code().String(), message, details, exitStatus
		v.Header, v.Trailer, v.Transport = textual(e.header), textual(e.trailer), transportOf(&e.peer)
		if err := e.out.object(v); err != nil {
			return err
		}
		return ending(exitStatus)
	}
	if err != nil {
		fmt.Fprintf(verb.ErrOrStderr(), "%s: %s\n", s.Code(), clean(message))
		for _, detail := range details {
			fmt.Fprintf(verb.ErrOrStderr(), "\t%s\n", detail)
		}
	}
	return ending(exitStatus)
}

// detail returns a detail of a status as JSON: one of an unknown type with its bytes.
func (e *exchange) detail(detail *anypb.Any) json.RawMessage {
	if line, err := e.marshal(detail); err == nil {
		return line
	}
	line, _ := json.Marshal(map[string]string{"@type": detail.GetTypeUrl(), "value": base64.StdEncoding.EncodeToString(detail.GetValue())})
	return escapeControls(line)
}

// textual returns metadata as JSON can have it.
func textual(md metadata.MD) map[string][]string {
	text := map[string][]string{}
	for key, values := range md {
		for _, value := range values {
			if strings.HasSuffix(key, "-bin") {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			text[key] = append(text[key], value)
		}
	}
	return text
}
