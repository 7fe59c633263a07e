package runtime_test

import "github.com/udsgrpc/udsgrpc/runtime"

// Code that was generated once goes on to compile: a line may be added here, none may go.
const _ = runtime.SupportsGenerated1
