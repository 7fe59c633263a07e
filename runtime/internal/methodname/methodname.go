// Package methodname is about the full names of methods, as "/greeter.v1.Greeter/Greet".
package methodname

import "strings"

// Full returns the full name of a method of a service.
func Full(service, method string) string { return "/" + service + "/" + method }

// IsFull reports whether s is of the form "/service/method".
func IsFull(s string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	return strings.HasPrefix(s, "/") && ok && service != "" && method != "" && !strings.Contains(method, "/")
}

// Nearest returns the one of names, of which there is at least one, that differs least from name.
func Nearest(name string, names []string) string {
	best, least := "", -1
	for _, candidate := range names {
		if d := distance(name, candidate); least < 0 || d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many letters have to be inserted, deleted or replaced to turn a into b (Levenshtein).
func distance(a, b string) int {
	// row[j] is the distance from the part of a read so far to the first j letters of b.
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
