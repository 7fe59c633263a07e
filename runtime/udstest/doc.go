// Package udstest runs servers and clients of generated services for the length of a test.
//
//	func TestGreeting(t *testing.T) {
//		client := udstest.Serve(t, greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS, greeter{})
//		resp, err := client.Greet(t.Context(), &greeterv1.GreetRequest{Name: "Ada"})
//		…
//	}
//
// Several tests of a service name the two constructors once, in a variable that [For] returns:
//
//	var greeting = udstest.For(greeterv1.NewGreeterUDSServer, greeterv1.DialGreeterUDS)
//
//	client := greeting.Serve(t, greeter{})
//
// A test that wants more than one client, options for the client, the connection or the path takes
// [Service.Start] and [Service.Dial], the two halves of [Service.Serve].
//
// It is the real thing: a real socket, in a directory of its own, with the checks
// of who calls whom that the program has later. Where the kernel does not tell who that is, on
// Windows, both sides need a policy of [runtime.Anyone], so only Start and Dial will do.
//
// Tests, subtests, benchmarks and fuzz targets may use it, also in parallel. Functions that take a
// [testing.TB] can end the test, so they are for the goroutine that runs it. A benchmark should
// know that the server records each call, which costs well under a microsecond.
//
// # The end of a test
//
// First the context of the test, t.Context, ends. Then what the test has given to t.Cleanup after
// Serve runs, with client and server in place. Then the client is closed, which ends its calls
// with codes.Canceled; then the server, which ends those of all other clients; then the handlers
// are waited for; and last the directory of the socket is removed. No goroutine is left.
//
// A handler that goes on for five seconds after its context has ended fails the test, and its stack
// is shown. So does one that calls t.FailNow or t.Fatal, which are not for its goroutine: it would
// never answer, so the server is closed, and calls fail with codes.Unavailable. A handler that
// panics ends the process, as it would end the server's.
//
// # synctest
//
// The kernel, with its sockets, is outside of every bubble of [testing/synctest]. While a goroutine
// of the bubble waits for it, the bubble's time stands still and [testing/synctest.Wait] does not return:
//
//   - With server and client in the bubble, calls work, and the test ends as it should. But until
//     both are closed, time.Sleep, timers, deadlines and synctest.Wait in the bubble wait for ever;
//     so does the end of the test if a handler hangs.
//   - The same holds for a client in the bubble of a server outside. (On Linux an idle connection
//     of the direct transport does not stop time. That is no promise.)
//   - A client from outside must not be used in a bubble. It may seem to work, but over HTTP/2 the
//     process ends with "send on synctest channel from outside bubble".
//
// To test with the bubble's time, call the methods of the implementation, without a server.
package udstest
