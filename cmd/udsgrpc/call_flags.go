package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/schema"
	"github.com/udsgrpc/udsgrpc/runtime"
)

// maxResponse is how large a response may be: whoever calls by hand wants to see it.
const maxResponse = 1 << 30

// callFlags are the flags of call.
type callFlags struct {
	data           string
	headers        []string
	deadline       time.Duration
	protos, roots  []string
	descriptorSets []string
	serverUsers    []string
}

func (c *callFlags) add(verb *cobra.Command) {
	flags := verb.Flags()
	flags.StringVarP(&c.data, "data", "d", "", "JSON of the request, @ and the name of a file with it, or - for standard input")
	flags.StringArrayVarP(&c.headers, "header", "H", nil, "send a header, as in 'key: value'; the value of a key with -bin at its end is base64")
	flags.DurationVar(&c.deadline, "deadline", 0, "how long the call may take; 0 is without end")
	flags.StringArrayVar(&c.protos, "proto", nil, "take the types from a .proto file, instead of reflection")
	flags.StringArrayVarP(&c.roots, "proto-path", "I", nil, "where .proto files and their imports are (default the working directory, and those of the files)")
	flags.StringArrayVar(&c.descriptorSets, "descriptor-set", nil, "take the types from a file with descriptors, as buf build -o writes it")
	flags.StringArrayVar(&c.serverUsers, "server-user", nil, "let the server be of this user, by name or number, too; anyone for all")
	verb.MarkFlagsMutuallyExclusive("proto", "descriptor-set")
}

// schema returns the types that the flags name. done frees what they hold.
func (c *callFlags) schema(ctx context.Context, conn grpc.ClientConnInterface) (s *schema.Schema, done func(), err error) {
	done = func() {}
	switch {
	case len(c.protos) > 0:
		s, err = schema.FromProto(ctx, c.protos, c.roots)
	case len(c.roots) > 0:
		err = errors.New("--proto-path needs --proto")
	case len(c.descriptorSets) > 0:
		s, err = schema.FromDescriptorSets(c.descriptorSets)
	default:
		s, done = schema.ByReflection(ctx, conn)
	}
	return s, done, err
}

// readHeaders reads the values of --header.
func readHeaders(headers []string) (metadata.MD, error) {
	md := metadata.MD{}
	for _, header := range headers {
		key, value, found := strings.Cut(header, ":")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !found || key == "" || strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("the header %q is not of the form 'key: value'", header)
		}
		if strings.HasPrefix(key, "grpc-") {
			return nil, fmt.Errorf("the header %q is one of gRPC's own", header)
		}
		if strings.HasSuffix(key, "-bin") {
			bytes, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, fmt.Errorf("the value of the header %q is not base64: %w", header, err)
			}
			value = string(bytes)
		}
		md.Append(key, value)
	}
	return md, nil
}

// serverPolicy says whose server is called: that of the same user or of root, and of those named.
func serverPolicy(users []string) (runtime.Policy, error) {
	policies := []runtime.Policy{runtime.SameUser(), runtime.Root()}
	for _, user := range users {
		uid, err := strconv.Atoi(user)
		switch {
		case user == "anyone":
			policies = append(policies, runtime.Anyone())
		case user == "" || err == nil && uid < 0:
			return runtime.Policy{}, fmt.Errorf("--server-user %q is no user", user)
		case err == nil:
			policies = append(policies, runtime.AllowUID(uid))
		default:
			policies = append(policies, runtime.AllowUserName(user))
		}
	}
	return runtime.Any(policies...), nil
}
