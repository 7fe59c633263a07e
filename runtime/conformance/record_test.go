package conformance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

// track lists what one side has seen, in order. What happens on two sides has no order that
// could be compared, so each has its own. Its methods may be called concurrently; they do not
// end the test, as handlers call them too.
type track struct {
	b    *rig
	name string

	mu   sync.Mutex
	list []observation
}

var comparison = cmp.Options{protocmp.Transform(), cmpopts.EquateErrors()}

type observation struct {
	What  string
	Value any
}

// saw notes something that is compared, and nothing more.
func (tr *track) saw(what string, value any) {
	if md, ok := value.(metadata.MD); ok {
		value = map[string][]string(md) // which cmp prints, where MD hides the values
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.list = append(tr.list, observation{what, value})
}

// is notes something and checks that it is as it must be.
func (tr *track) is(what string, got, want any) {
	tr.b.Helper()
	tr.saw(what, got)
	if diff := cmp.Diff(want, got, comparison); diff != "" {
		tr.b.Errorf("%s: %s is wrong (-want +got):\n%s", tr.name, what, diff)
	}
}

// fails notes an error and checks its status.
func (tr *track) fails(what string, err error, code codes.Code, message string) {
	tr.b.Helper()
	got := tr.b.outcome(err)
	tr.saw(what, got)
	if s := status.Convert(err); s.Code() != code || got.Message != message {
		tr.b.Errorf("%s: %s: status is %v %q, want %v %q", tr.name, what, s.Code(), got.Message, code, message)
	}
}

// failsSomehow is for errors whose text no two runs have in common, such as that of a
// connection that broke.
func (tr *track) failsSomehow(what string, err error, code codes.Code) {
	tr.b.Helper()
	tr.is(what, status.Code(err), code)
	if err != nil && status.Convert(err).Message() == "" {
		tr.b.Errorf("%s: %s: the status %v has no message", tr.name, what, code)
	}
}

func (tr *track) succeeds(what string, err error) {
	tr.b.Helper()
	tr.saw(what, tr.b.outcome(err))
	if err != nil {
		tr.b.Errorf("%s: %s: %v", tr.name, what, err)
	}
}

// ends checks that an error is io.EOF itself, which callers compare with ==.
func (tr *track) ends(what string, err error) {
	tr.b.Helper()
	tr.saw(what, tr.b.outcome(err))
	if err != io.EOF {
		tr.b.Errorf("%s: %s: error is %v, want EOF", tr.name, what, err)
	}
}

// outcome is what can be told of an error.
type outcome struct {
	Code    codes.Code
	Message string
	Details []string
	Error   string
	Is      []string // the errors that callers look for
}

func (b *rig) outcome(err error) outcome {
	if err == nil {
		return outcome{}
	}
	s := status.Convert(err)
	o := outcome{Code: s.Code(), Message: b.normal(s.Message()), Error: b.normal(err.Error())}
	for _, d := range s.Proto().GetDetails() {
		o.Details = append(o.Details, fmt.Sprintf("%s %x", d.GetTypeUrl(), sha256.Sum256(d.GetValue())))
	}
	for _, target := range []error{io.EOF, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			o.Is = append(o.Is, target.Error())
		}
	}
	return o
}

// normal takes out of a text what differs from run to run: the path of the socket, and the
// space that protobuf makes an unbreakable one in some builds.
func (b *rig) normal(text string) string {
	return strings.NewReplacer(b.path, "<socket>", "\u00a0", " ").Replace(text)
}

// timeLeft puts what is left of the time that a call was given into words: how much of it has
// gone is not the same in two runs.
func timeLeft(ctx context.Context, given time.Duration) string {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	switch {
	case !ok:
		return "no deadline"
	case left <= 0:
		return "past"
	case left > given+given/100+time.Second:
		return "more than given"
	case left < given-guard:
		return "much less than given"
	default:
		return "what was given"
	}
}

// ended tells whether a context has ended. Which of both errors it has is a race where client
// and server wait for the same deadline: the client may cancel the call before the server's
// clock has got there.
func ended(err error) bool {
	return err == context.Canceled || err == context.DeadlineExceeded
}

// only returns the values of the given keys. It is for metadata of which the rest is seen by
// another case.
func only(md metadata.MD, keys ...string) metadata.MD {
	some := metadata.MD{}
	for _, k := range keys {
		if v, ok := md[k]; ok {
			some[k] = v
		}
	}
	return some
}

// await returns what comes on ch, and gives up after a while.
func await[T any](b *rig, what string, ch <-chan T) (v T) {
	b.Helper()
	select {
	case v = <-ch:
	case <-b.ctx.Done():
		b.Errorf("waited in vain for %s", what)
	}
	return v
}

// until waits for a condition that nothing announces. Handlers may call it, too.
func (b *rig) until(what string, condition func() bool) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.Errorf("waited in vain for %s", what)
			return
		}
	}
}

// stalls waits until a number has not grown for a while: nothing tells that somebody
// is blocked. If it is wrong, the case shows less, and does not fail.
func stalls(b *rig, count func() int64) int64 {
	b.Helper()
	last, same := count(), 0
	b.until("progress to end", func() bool {
		if now := count(); now != last {
			last, same = now, 0
		}
		same++
		return same > 100
	})
	return last
}

// withoutCompressors leaves out which compressors the client knows. Only HTTP/2 announces them: the
// direct transport has no use for any.
func withoutCompressors(md metadata.MD) metadata.MD {
	const key = "grpc-accept-encoding"
	md = md.Copy()
	md[key] = slices.DeleteFunc(md[key], func(value string) bool { return value == "gzip" })
	if len(md[key]) == 0 {
		delete(md, key)
	}
	return md
}
