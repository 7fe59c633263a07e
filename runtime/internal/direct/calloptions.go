package direct

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// callOptions are the options of a call.
type callOptions struct {
	failFast         bool
	maxRecv, maxSend int

	// after are the options with something to do when the call is over.
	after []grpc.CallOption
}

// apply reports whether all opts can be honoured here.
func (o *callOptions) apply(c *Client, opts []grpc.CallOption) bool {
	o.failFast, o.maxRecv, o.maxSend = true, c.conf.MaxRecv, defaultMaxSend
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.StaticMethodCallOption, grpc.EmptyCallOption:
		case grpc.FailFastCallOption:
			o.failFast = opt.FailFast
		case grpc.MaxRecvMsgSizeCallOption:
			o.maxRecv = opt.MaxRecvMsgSize
		case grpc.MaxSendMsgSizeCallOption:
			o.maxSend = opt.MaxSendMsgSize
		case grpc.MaxRetryRPCBufferSizeCallOption: // nothing is kept for that kind of retry
		case grpc.HeaderCallOption, grpc.TrailerCallOption, grpc.PeerCallOption, grpc.OnFinishCallOption:
			o.after = append(o.after, opt)
		default:
			return false
		}
	}
	return true
}

// answered is called when the call is over, if it reached the server.
func (o *callOptions) answered(header, trailer metadata.MD, p *peer.Peer) {
	for _, opt := range o.after {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			*opt.HeaderAddr = header
		case grpc.TrailerCallOption:
			*opt.TrailerAddr = trailer
		case grpc.PeerCallOption:
			if p != nil {
				*opt.PeerAddr = *p
			}
		}
	}
}

// finished is called when the call is over.
func (o *callOptions) finished(err error) {
	for _, opt := range o.after {
		if opt, ok := opt.(grpc.OnFinishCallOption); ok {
			opt.OnFinish(err)
		}
	}
}
