// Package redact makes text of messages and metadata for people who shall not see the secrets in them.
//
// A field is secret if it has the option debug_redact, or an option whose value is of an enum and has that option
// itself, as with protobuf's other implementations. So is a value of an enum with that option. What cannot be known
// is left out: fields that the program has no definition of, and the content of an Any of an unknown type.
package redact

// Placeholder stands in place of a secret.
const Placeholder = "[redacted]"
