package runtime_test

import "github.com/udsgrpc/udsgrpc/runtime"

// Code that was generated once still compiles: a line may be added here, none may be removed.
const _ = runtime.SupportsGenerated1
