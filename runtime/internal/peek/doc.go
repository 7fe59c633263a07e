// Package peek looks at the first bytes of a connection without taking them: whoever reads it afterwards
// gets all of them.
package peek
