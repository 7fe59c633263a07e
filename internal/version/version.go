// Package version has the version of this module's programs, in one place.
package version

// Version is what both programs print for --version. It stands in the header of every generated file.
const Version = "v0.1.0"
