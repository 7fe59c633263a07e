package result

// NotWorse is what the upper end of a row's spread has to reach, if nobody says otherwise.
const NotWorse = 0.97

// Row compares a peer with its counterpart in another revision.
type Row struct {
	Metric            Metric
	Peer, Counterpart string // names
	Yardstick         bool   // no code of this project: both are the same, and what differs is noise
	Here, There       Summary

	// Gain says how much better the peer is than its counterpart. It is a ratio taken round by round, in
	// the direction in which higher is better whatever the metric: a speed is divided by the
	// counterpart's, the counterpart's time by the time.
	Gain Summary

	// Lacks says why there is no Gain.
	Lacks string
}

// Against returns the comparison of all peers that have a counterpart, peer by peer.
func (s *Set) Against() []Row {
	var rows []Row
	for _, p := range s.Peers {
		if p.Counterpart == "" {
			continue
		}
		for _, m := range s.Metrics {
			rows = append(rows, s.row(m, p))
		}
	}
	return rows
}

func (s *Set) row(m Metric, counterpart Peer) Row {
	here, there := s.Find(m.ID, counterpart.Counterpart), s.Find(m.ID, counterpart.Name)
	r := Row{Metric: m, Peer: here.Peer, Counterpart: there.Peer, Yardstick: counterpart.Module == ""}
	r.Here, _ = Summarize(here.Rounds)
	r.There, _ = Summarize(there.Rounds)
	var ok bool
	if r.Gain, ok = Summarize(gains(m, here.Rounds, there.Rounds)); ok {
		return r
	}
	switch {
	case here.Lacks != "":
		r.Lacks = here.Lacks
	case there.Lacks != "":
		r.Lacks = there.Lacks
	default:
		r.Lacks = "no round has two values above zero"
	}
	return r
}

// gains divides round by round. A value that is not above zero, as of memory that has shrunk, has no
// ratio that means something.
func gains(m Metric, here, there []float64) []float64 {
	var g []float64
	for i := range min(len(here), len(there)) {
		switch {
		case !(here[i] > 0 && there[i] > 0):
		case m.MoreIsBetter:
			g = append(g, here[i]/there[i])
		default:
			g = append(g, there[i]/here[i])
		}
	}
	return g
}
