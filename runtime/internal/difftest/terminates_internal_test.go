package difftest

import "testing"

func TestScriptsThatEnd(t *testing.T) {
	const little, much = 100, 50_000
	bidi := func(client, handler []Step) *Case {
		return &Case{Kind: Bidi, Client: [][]Step{client}, Handler: [][]Step{handler}}
	}
	upload := func(n, size, ack int) *Case {
		return bidi([]Step{{Op: Send, N: n, Size: size}, {Op: CloseSend}, {Op: RecvAll}}, []Step{{Op: Echo, Size: ack}})
	}
	for name, tt := range map[string]struct {
		c            *Case
		narrow, wide bool
	}{
		"an upload with acknowledgements":            {upload(1000, 1000, 8), true, true},
		"one whose acknowledgements are large":       {upload(1000, 1000, 1000), false, true},
		"and larger than all windows":                {upload(1000, 10_000, 10_000), false, false},
		"both receive first":                         {bidi([]Step{{Op: Recv, N: 1}}, []Step{{Op: Recv, N: 1}}), false, false},
		"both send one large message first":          {bidi([]Step{{Op: Send, N: 1, Size: 3 << 20}, {Op: Recv, N: 1}}, []Step{{Op: Send, N: 1, Size: 3 << 20}, {Op: Recv, N: 1}}), true, true},
		"both send much first":                       {bidi([]Step{{Op: Send, N: 10, Size: much}, {Op: RecvAll}}, []Step{{Op: Send, N: 10, Size: much}, {Op: RecvAll}}), false, false},
		"the handler waits for a client that waits":  {bidi([]Step{{Op: RecvAll}}, []Step{{Op: WaitCtx}}), false, false},
		"the handler waits for a client that leaves": {bidi([]Step{{Op: Send, N: 1, Size: little}}, []Step{{Op: WaitCtx}}), true, true},
		"the client cancels":                         {bidi([]Step{{Op: Settle}, {Op: Cancel}, {Op: RecvAll}}, []Step{{Op: RecvAll}}), true, true},
		"the header never comes":                     {bidi([]Step{{Op: Header}, {Op: CloseSend}}, []Step{{Op: RecvAll}}), false, false},
		"the header comes first":                     {bidi([]Step{{Op: Header}, {Op: CloseSend}}, []Step{{Op: SendHeader}, {Op: RecvAll}}), true, true},
	} {
		if got := terminates(tt.c, defaultWindow); got != tt.narrow {
			t.Errorf("%s: ends within the default window: %v, want %v", name, got, tt.narrow)
		}
		if got := terminates(tt.c, wideWindow); got != tt.wide {
			t.Errorf("%s: ends within the wide window: %v, want %v", name, got, tt.wide)
		}
	}
}
