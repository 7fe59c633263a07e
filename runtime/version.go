package runtime

// SupportsGenerated1 marks that this package fits the first form of generated code.
// Generated files refer to it, so that a plugin newer than the runtime is found out by the
// compiler and not by a call that fails. All forms that there ever were stay supported: code that was
// generated once compiles with every later runtime of the same major version.
const SupportsGenerated1 = true
