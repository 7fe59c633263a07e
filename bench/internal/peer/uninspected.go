package peer

import "github.com/udsgrpc/udsgrpc/runtime"

// uninspected is udsgrpc without the service for viewers, which costs nothing if nobody looks: it is as fast as
// udsgrpc.
type uninspected struct{ udsgrpc }

func (uninspected) About() About {
	return withoutInspection("uninspected", udsgrpc{}.About())
}

func (uninspected) Listen(path string, services int) (*Server, error) {
	return serveUDS(path, services, runtime.NoInspection())
}

// uninspectedHTTP2 is the same of udsgrpc-http2.
type uninspectedHTTP2 struct{ udsgrpcHTTP2 }

func (uninspectedHTTP2) About() About {
	return withoutInspection("uninspected-http2", udsgrpcHTTP2{}.About())
}

func (uninspectedHTTP2) Listen(path string, services int) (*Server, error) {
	return serveUDS(path, services, runtime.HTTP2Only(), runtime.NoInspection())
}

func withoutInspection(name string, a About) About {
	a.Settings = a.Name + " with runtime.NoInspection()."
	a.Name = name
	return a
}
