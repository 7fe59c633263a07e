// Package version has the version of this project, in one place: of this module and of the tool's, which
// are released under the same number.
package version

// Version is what the plugin prints for --version. It stands in the header of every generated file.
const Version = "v0.1.0"
