package inspect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
)

// snapshot returns what is told of the server now.
func (i *Inspection) snapshot(c *counting) *inspectv1.SnapshotsResponse {
	now := time.Now()
	c.forget(now)
	s := &inspectv1.SnapshotsResponse{
		Time:        timestamppb.New(now),
		Server:      i.config.Server,
		Since:       timestamppb.New(c.since),
		Totals:      i.config.Totals(),
		Connections: i.config.Connections(),
	}
	for name, m := range c.methods.all() {
		s.Methods = append(s.Methods, m.tell(strings.ToValidUTF8(name, "\uFFFD")))
	}
	if c.methods.others.started.Load() > 0 {
		s.Methods = append(s.Methods, c.methods.others.tell(""))
	}
	slices.SortFunc(s.Methods, func(a, b *inspectv1.Method) int { return cmp.Compare(a.GetName(), b.GetName()) })
	for caller, client := range c.clients.all() {
		s.Clients = append(s.Clients, client.tell(caller))
	}
	if c.clients.others.started.Load() > 0 {
		s.Clients = append(s.Clients, c.clients.others.tell(Caller{UID: -1}))
	}
	slices.SortFunc(s.Clients, func(a, b *inspectv1.Client) int {
		return cmp.Or(cmp.Compare(a.GetCaller().GetUid(), b.GetCaller().GetUid()), cmp.Compare(a.GetCaller().GetPid(), b.GetCaller().GetPid()))
	})
	return s
}

func (m *method) tell(name string) *inspectv1.Method {
	// What has ended is read first, so that it is never more than what has begun.
	told := &inspectv1.Method{Name: name, Codes: map[uint32]uint64{}, Latency: m.latency.tell()}
	for code := range m.codes {
		if n := m.codes[code].Load(); n > 0 {
			told.Codes[uint32(code)] = n
		}
	}
	told.Started = m.started.Load()
	return told
}

func (c *client) tell(caller Caller) *inspectv1.Client {
	told := &inspectv1.Client{Caller: new(inspectv1.Caller), Failed: c.failed.Load(), Ended: c.ended.Load(), Started: c.started.Load()}
	if caller.UID >= 0 {
		told.Caller.Uid = new(uint32(caller.UID))
	}
	if caller.PID > 0 {
		told.Caller.Pid = new(int64(caller.PID))
	}
	told.Caller.Program = c.program
	return told
}
