package runtime

// SupportsGenerated1 marks that this package fits the first form of generated code. Generated files refer
// to it, so that the compiler finds a plugin that is newer than the runtime, instead of a call that fails.
// All earlier forms stay supported: code that was generated once compiles with every later runtime of the
// same major version.
const SupportsGenerated1 = true
