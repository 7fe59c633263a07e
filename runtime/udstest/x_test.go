package udstest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	greeterv1 "github.com/udsgrpc/udsgrpc/examples/greeter/gen/greeter/v1"
	"github.com/udsgrpc/udsgrpc/runtime/udstest"
	"github.com/udsgrpc/udsgrpc/runtime"
)
type g struct { greeterv1.UnimplementedGreeterServer }
func (g) Greet(context.Context, *greeterv1.GreetRequest) (*greeterv1.GreetResponse, error) { return &greeterv1.GreetResponse{Greeting:"hi"}, nil }

var svc = udstest.For(greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS)

func call(t *testing.T, c greeterv1.GreeterClient) {
	t.Log("call")
	r, err := c.Greet(t.Context(), &greeterv1.GreetRequest{})
	t.Log(r, err)
}
func TestPlain(t *testing.T) {
	call(t, svc.Serve(t, g{}))
}
func TestHTTP2(t *testing.T) {
	call(t, svc.Serve(t, g{}, runtime.HTTP2Only()))
}
func testIn(t *testing.T, opts ...runtime.ServerOption) {
	synctest.Test(t, func(t *testing.T) {
		call(t, svc.Serve(t, g{}, opts...))
	})
}
func TestInD(t *testing.T) { testIn(t) }
func TestInH(t *testing.T) { testIn(t, runtime.HTTP2Only()) }
func testInClose(t *testing.T, opts ...runtime.ServerOption) {
	synctest.Test(t, func(t *testing.T) {
		srv := svc.Start(t, g{}, opts...)
		c, conn := svc.Dial(t, srv.Path())
		call(t, c)
		t.Log("close")
		conn.Close()
		srv.Close()
		t.Log("closed")
	})
}
func TestCloseInD(t *testing.T) { testInClose(t) }
func TestCloseInH(t *testing.T) { testInClose(t, runtime.HTTP2Only()) }
func testOut(t *testing.T, opts ...runtime.ServerOption) {
		c := svc.Serve(t, g{}, opts...)
	synctest.Test(t, func(t *testing.T) {
		call(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := c.Greet(ctx, &greeterv1.GreetRequest{})
		t.Log(err)
		synctest.Wait()
		time.Sleep(time.Hour)
	})
}
func TestOutD(t *testing.T) { testOut(t) }
func TestOutH(t *testing.T) { testOut(t, runtime.HTTP2Only()) }
func testClient(t *testing.T, opts ...runtime.ServerOption) {
		srv := svc.Start(t, g{}, opts...)
	synctest.Test(t, func(t *testing.T) {
		c, conn := svc.Dial(t, srv.Path())
		call(t, c)
		conn.Close()
		time.Sleep(time.Hour)
		t.Log("slept")
	})
}
func TestClientD(t *testing.T) { testClient(t) }
func TestClientH(t *testing.T) { testClient(t, runtime.HTTP2Only()) }
func TestWaitInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call(t, svc.Serve(t, g{}))
		synctest.Wait()
		t.Log("waited")
	})
}
func TestWaitClientD(t *testing.T) {
	srv := svc.Start(t, g{})
	synctest.Test(t, func(t *testing.T) {
		c, _ := svc.Dial(t, srv.Path())
		call(t, c)
		synctest.Wait()
		t.Log("waited")
		time.Sleep(time.Hour)
		t.Log("slept")
	})
}
func TestWaitClientH(t *testing.T) {
	srv := svc.Start(t, g{})
	synctest.Test(t, func(t *testing.T) {
		c, _ := svc.Dial(t, srv.Path(), runtime.WithHTTP2Only())
		call(t, c)
		synctest.Wait()
		t.Log("waited")
	})
}
func TestSleepInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call(t, svc.Serve(t, g{}))
		time.Sleep(time.Second)
		t.Log("waited")
	})
}
func (g) Countdown(_ *greeterv1.CountdownRequest, s greeterv1.Greeter_CountdownServer) error { 
	s.Send(&greeterv1.CountdownResponse{})
	<-s.Context().Done()
	return nil }
func TestStreamOutD(t *testing.T) {
	c := svc.Serve(t, g{})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := c.Countdown(ctx, &greeterv1.CountdownRequest{})
		if err != nil { t.Fatal(err) }
		t.Log(s.Recv())
		cancel()
		t.Log(s.Recv())
	})
}
func TestDeadlineInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := svc.Serve(t, g{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := c.Countdown(ctx, &greeterv1.CountdownRequest{})
		if err != nil { t.Fatal(err) }
		t.Log(s.Recv())
		t.Log(s.Recv())
	})
}
