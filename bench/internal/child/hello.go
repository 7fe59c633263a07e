package child

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/udsgrpc/udsgrpc/bench/internal/load"
)

// ErrProtocol means that children of a program do not understand this one.
var ErrProtocol = errors.New("its children speak another protocol")

// Meet returns which kinds of calls the children of a program can make. If they do not understand
// this program, the error is [ErrProtocol].
func Meet(ctx context.Context, program string) (kinds []load.Kind, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	p, err := Start(ctx, program, Place{})
	if err != nil {
		return nil, err
	}
	reply, err := p.exchange(Request{Hello: &Hello{}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: it does not answer as a child: %w", ErrProtocol, err), p.Close())
	}
	if err := p.Close(); err != nil {
		return nil, err
	}
	switch {
	case reply.Error != "": // it does not know Hello
		return load.FirstKinds(), nil
	case reply.Hello.Protocol != Protocol:
		return nil, fmt.Errorf("%w: %d instead of %d; compare with a revision that has the same, or go to one before the change and compare there",
			ErrProtocol, reply.Hello.Protocol, Protocol)
	}
	return reply.Hello.Kinds, nil
}
