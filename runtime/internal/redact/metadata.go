package redact

import "strings"

// secretWords are those that names of secret headers have.
var secretWords = []string{"auth", "cookie", "token", "secret", "password", "passwd", "credential", "session", "key", "signature", "jwt"}

// Header returns the value of a header, or the placeholder if it may be a secret: if its name says so, as
// authorization does, or if it is binary.
func Header(key, value string) string {
	key = strings.ToLower(key)
	switch {
	case key == ":authority": // no secret, but it has the name of one
		return value
	case strings.HasSuffix(key, "-bin"):
		return Placeholder
	}
	for _, word := range secretWords {
		if strings.Contains(key, word) {
			return Placeholder
		}
	}
	return value
}
