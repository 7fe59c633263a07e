package conformance_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// enough large messages are more than anything between two ends should hold.
const enough = 24 << 20 / (256 << 10)

func TestConformanceOfFlowControl(t *testing.T) {
	conform(t, cases{
		"a client that does not read holds the server back": func(b *rig) {
			var sent atomic.Int64
			client, _ := b.start(service{list: func(_ *testpb.StreamingOutputCallRequest, stream listServer) error {
				for range enough {
					if err := stream.Send(outgoing(large)); err != nil {
						return err
					}
					sent.Add(1)
				}
				return nil
			}})
			stream, err := client.StreamingOutputCall(b.ctx, incoming(""))
			b.client.succeeds("begin", err)
			held := stalls(b, sent.Load)
			b.client.is("the server waits", held < enough/4, true)
			n := 0
			for {
				if _, err := stream.Recv(); err != nil {
					b.client.ends("receive", err)
					break
				}
				n++
			}
			b.client.is("messages", n, enough)
		},
		"a server that does not read holds the client back": func(b *rig) {
			var sent atomic.Int64
			release := make(chan struct{})
			client, _ := b.start(service{gather: func(stream gatherServer) error {
				await(b, "the client to be held back", release)
				return service{}.StreamingInputCall(stream)
			}})
			stream, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			done := make(chan error, 1)
			go func() {
				for range enough {
					if err := stream.Send(part(large)); err != nil {
						done <- err
						return
					}
					sent.Add(1)
				}
				done <- nil
			}()
			held := stalls(b, sent.Load)
			b.client.is("the client waits", held < enough/4, true)
			close(release)
			b.client.succeeds("send", await(b, "the client to send", done))
			resp, err := stream.CloseAndRecv()
			b.client.succeeds("receive", err)
			b.client.is("reply", resp.GetAggregatedPayloadSize(), int32(enough*len(large)))
		},
		"a held-back stream does not hold others back": func(b *rig) {
			var sent atomic.Int64
			client, _ := b.start(service{list: func(_ *testpb.StreamingOutputCallRequest, stream listServer) error {
				return sendForever(func() error {
					defer sent.Add(1)
					return stream.Send(outgoing(large))
				})
			}})
			ctx, cancel := context.WithCancel(b.ctx)
			defer cancel()
			_, err := client.StreamingOutputCall(ctx, incoming(""))
			b.client.succeeds("begin", err)
			stalls(b, sent.Load)
			resp, err := client.UnaryCall(b.ctx, request("hello"))
			b.client.succeeds("call", err)
			b.client.is("reply", resp, reply("hello"))
		},
		"a handler may return before it has read everything": func(b *rig) {
			client, _ := b.start(service{
				gather: func(stream gatherServer) error {
					_, err := stream.Recv()
					b.server.succeeds("receive", err)
					return stream.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: 7})
				},
				chat: func(stream chatServer) error {
					_, err := stream.Recv()
					b.server.succeeds("receive", err)
					return nil
				},
			})
			gather, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			b.client.ends("send", sendForever(func() error { return gather.Send(part(large)) }))
			resp, err := gather.CloseAndRecv()
			b.client.succeeds("receive", err)
			b.client.is("reply", resp.GetAggregatedPayloadSize(), int32(7))

			stream := b.chat(client)
			b.client.ends("send", sendForever(func() error { return stream.Send(incoming(large)) }))
			b.receivesEnd(stream)
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("next call", err)
		},
		"a handler may fail before it has read everything": func(b *rig) {
			client, _ := b.start(service{
				gather: func(stream gatherServer) error { return errNotFound },
				chat: func(stream chatServer) error {
					_, err := stream.Recv()
					b.server.succeeds("receive", err)
					b.server.succeeds("send", stream.Send(outgoing("before the error")))
					return errNotFound
				},
			})
			gather, err := client.StreamingInputCall(b.ctx)
			b.client.succeeds("begin", err)
			b.client.ends("send", sendForever(func() error { return gather.Send(part(large)) }))
			_, err = gather.CloseAndRecv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")

			stream := b.chat(client)
			b.client.ends("send", sendForever(func() error { return stream.Send(incoming(large)) }))
			b.receives(stream, "before the error")
			_, err = stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			_, err = client.UnaryCall(b.ctx, request(""))
			b.client.succeeds("next call", err)
		},
		"an early end is seen by a client that only receives": func(b *rig) {
			var sent atomic.Int64
			release := make(chan struct{})
			client, _ := b.start(service{chat: func(stream chatServer) error {
				await(b, "the client to be held back", release)
				return errNotFound
			}})
			stream := b.chat(client)
			ended := make(chan error, 1)
			go func() {
				ended <- sendForever(func() error {
					defer sent.Add(1)
					return stream.Send(incoming(large))
				})
			}()
			stalls(b, sent.Load)
			close(release)
			_, err := stream.Recv()
			b.client.fails("receive", err, codes.NotFound, "no such thing")
			b.client.ends("send", await(b, "the client to send", ended))
		},
	})
}

// large is a message of which a few fill everything between two ends.
var large = strings.Repeat("x", 256<<10)

func sendForever(send func() error) error {
	for {
		if err := send(); err != nil {
			return err
		}
	}
}

func receiveForever(stream chatClient) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}
