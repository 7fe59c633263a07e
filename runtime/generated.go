package runtime

import "maps"

// SupportsGenerated1 marks that this package fits the first form of generated code. Generated files refer
// to it, so that the compiler finds a plugin that is newer than the runtime, instead of a call that fails.
// All earlier forms stay supported: code that was generated once compiles with every later runtime of the
// same major version.
const SupportsGenerated1 = true

// DeclaredPolicies is for generated code: it passes the rules that a .proto file declares, by full method
// name. See [Authorize] for how they combine with those of a program.
func DeclaredPolicies(policies map[string]Policy) ServerOption {
	return func(c *serverConfig) { maps.Copy(c.auth.declared, policies) }
}
