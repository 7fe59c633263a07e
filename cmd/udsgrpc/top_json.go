package main

import (
	"time"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/viewer"
	inspectv1 "github.com/udsgrpc/udsgrpc/proto/udsgrpc/inspect/v1"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// pictureObject is a picture in JSON. Counts are those of the seconds before it, except where their names say
// otherwise.
type pictureObject struct {
	Path      string    `json:"path"`
	Condition string    `json:"condition"` // ready: while there is no server, objects are doctor's
	Time      time.Time `json:"time"`
	Seconds   float64   `json:"seconds"`
	PID       int64     `json:"pid"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Since     time.Time `json:"counted_since"`

	Calls   transportsObject `json:"calls"`
	Refused uint64           `json:"refused"`
	Methods []methodObject   `json:"methods"`
	Clients []clientObject   `json:"clients"`

	Connections connectionsObject `json:"connections"`
	Total       totalsObject      `json:"total"`
}

type transportsObject struct {
	Direct uint64 `json:"direct"`
	HTTP2  uint64 `json:"http2"`
	Ring   uint64 `json:"ring"`
}

type methodObject struct {
	Method   string            `json:"method"`
	Calls    uint64            `json:"calls"` // that have ended
	Failed   uint64            `json:"failed"`
	Codes    map[string]uint64 `json:"codes,omitempty"`
	InFlight uint64            `json:"in_flight"`
	P50      *float64          `json:"p50_seconds,omitempty"`
	P99      *float64          `json:"p99_seconds,omitempty"`
	Total    uint64            `json:"total"`
}

type clientObject struct {
	Program  string  `json:"program,omitempty"`
	PID      *int64  `json:"pid,omitempty"`
	UID      *uint32 `json:"uid,omitempty"`
	Calls    uint64  `json:"calls"`
	Failed   uint64  `json:"failed"`
	InFlight uint64  `json:"in_flight"`
	Total    uint64  `json:"total"`
}

type connectionsObject struct {
	transportsObject
	HalfOpen uint64 `json:"half_open"`
	Viewers  uint64 `json:"viewers"`
}

// totalsObject are the counters of the server.
type totalsObject struct {
	Calls       transportsObject `json:"calls"`
	Connections transportsObject `json:"connections"`
	Refused     uint64           `json:"refused"`
	TurnedAway  uint64           `json:"turned_away"`
	NotAccepted uint64           `json:"not_accepted"`
	SendWaits   uint64           `json:"send_waits"`
	Rebound     uint64           `json:"rebound"`
	Received    uint64           `json:"handovers_received"`
	Given       uint64           `json:"handovers_given"`
	Failed      uint64           `json:"handovers_failed"`
}

func pictureOf(path string, d *viewer.Difference) pictureObject {
	server, total := d.Now.GetServer(), d.Now.GetTotals()
	p := pictureObject{
		Path:      path,
		Condition: string(socket.Ready),
		Time:      d.Now.GetTime().AsTime(),
		Seconds:   d.Seconds,
		PID:       server.GetPid(),
		Version:   server.GetVersion(),
		Started:   server.GetStarted().AsTime(),
		Since:     d.Now.GetSince().AsTime(),
		Calls:     transportsOf(d.Calls),
		Refused:   d.Refused,
		Methods:   []methodObject{},
		Clients:   []clientObject{},
		Connections: connectionsObject{
			transportsObject: transportsOf(d.Now.GetConnections().GetOpen()),
			HalfOpen:         d.Now.GetConnections().GetHalfOpen(),
			Viewers:          d.Now.GetConnections().GetViewers(),
		},
		Total: totalsObject{
			Calls:       transportsOf(total.GetCalls()),
			Connections: transportsOf(total.GetConnections()),
			Refused:     total.GetRefused(),
			TurnedAway:  total.GetTurnedAway(),
			NotAccepted: total.GetNotAccepted(),
			SendWaits:   total.GetSendWaits(),
			Rebound:     total.GetRebound(),
			Received:    total.GetHandoversReceived(),
			Given:       total.GetHandoversGiven(),
			Failed:      total.GetHandoversFailed(),
		},
	}
	for _, m := range d.Methods {
		p.Methods = append(p.Methods, methodObjectOf(m))
	}
	for _, c := range d.Clients {
		p.Clients = append(p.Clients, clientObject{
			Program: c.Caller.GetProgram(), PID: c.Caller.Pid, UID: c.Caller.Uid,
			Calls: c.Ended, Failed: c.Failed, InFlight: c.InFlight, Total: c.Total,
		})
	}
	return p
}

func transportsOf(n *inspectv1.ByTransport) transportsObject {
	return transportsObject{Direct: n.GetDirect(), HTTP2: n.GetHttp2(), Ring: n.GetRing()}
}

func methodObjectOf(m viewer.Method) methodObject {
	o := methodObject{Method: m.Name, Calls: m.Ended, Failed: m.Failed, InFlight: m.InFlight, Total: m.Total}
	for code, n := range m.Codes {
		if o.Codes == nil {
			o.Codes = map[string]uint64{}
		}
		o.Codes[code.String()] += n
	}
	if m.Ended > 0 {
		o.P50, o.P99 = new(m.P50.Seconds()), new(m.P99.Seconds())
	}
	return o
}
