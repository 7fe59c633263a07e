package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/schema"
)

// requests reads the requests of a call, one JSON object after the other.
type requests struct {
	decoder *json.Decoder
	message protoreflect.MessageDescriptor
	types   schema.Types
	count   int
	none    bool // no data was given
}

// requestError means that what was given is no request.
type requestError struct{ err error }

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

// openRequests opens what --data names.
func openRequests(data string, stdin io.Reader, method protoreflect.MethodDescriptor, types schema.Types) (r *requests, closeInput func(), err error) {
	var reader io.Reader
	closeInput = func() {}
	switch file, isFile := strings.CutPrefix(data, "@"); {
	case isFile:
		opened, err := os.Open(file)
		if err != nil {
			return nil, nil, err
		}
		reader, closeInput = opened, func() { opened.Close() }
	case data == "-":
		reader = stdin
	default:
		reader = strings.NewReader(data)
	}
	return &requests{decoder: json.NewDecoder(reader), message: method.Input(), types: types, none: data == ""}, closeInput, nil
}

// next returns the next request, or io.EOF after the last one.
func (r *requests) next() (*dynamicpb.Message, error) {
	var object json.RawMessage
	if err := r.decoder.Decode(&object); errors.Is(err, io.EOF) {
		return nil, io.EOF
	} else if err != nil {
		return nil, &requestError{fmt.Errorf("request %d is not JSON: %w", r.count+1, err)}
	}
	r.count++
	if err := schema.CheckFields(object, r.message); err != nil {
		return nil, &requestError{err}
	}
	request := dynamicpb.NewMessage(r.message)
	if err := (protojson.UnmarshalOptions{Resolver: r.types}).Unmarshal(object, request); err != nil {
		return nil, &requestError{fmt.Errorf("request %d is no %s: %w", r.count, r.message.FullName(), err)}
	}
	return request, nil
}

// only returns the one request of a method that takes no stream.
func (r *requests) only() (*dynamicpb.Message, error) {
	if r.none {
		return dynamicpb.NewMessage(r.message), nil
	}
	request, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, &requestError{errors.New("there is no request in the data")}
	}
	if err != nil {
		return nil, err
	}
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &requestError{errors.New("there is more than one request in the data, and the method takes one")}
	}
	return request, nil
}

// sendAll sends every request as it can be read, and then closes that direction. The error is a *requestError; why the
// stream ended, if it did, RecvMsg tells.
func (r *requests) sendAll(stream grpc.ClientStream) error {
	for {
		request, err := r.next()
		if errors.Is(err, io.EOF) {
			_ = stream.CloseSend()
			return nil
		}
		if err != nil {
			return err
		}
		if stream.SendMsg(request) != nil {
			return nil
		}
	}
}
