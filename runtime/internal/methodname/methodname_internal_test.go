package methodname

import "testing"

func TestNearestTakesTheFewestChanges(t *testing.T) {
	t.Parallel()
	names := []string{"/a.v1.A/Delete", "/a.v1.A/Get", "/a.v1.A/List"}
	for name, want := range map[string]string{
		"/a.v1.A/Deleet": "/a.v1.A/Delete",
		"/a.v1.A/get":    "/a.v1.A/Get",
		"/a.v2.A/List":   "/a.v1.A/List",
		"":               "/a.v1.A/Get",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q are %d changes, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestFullNameHasAServiceAndAMethod(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"/a.v1.A/Get": true,
		"/A/Get":      true,
		"a.v1.A/Get":  false,
		"/a.v1.A":     false,
		"/a.v1.A/":    false,
		"//Get":       false,
		"/a/b/Get":    false,
		"":            false,
	} {
		if got := IsFull(name); got != want {
			t.Errorf("that %q is a full name is %v", name, got)
		}
	}
}

func TestFullNameIsFull(t *testing.T) {
	t.Parallel()
	if got := Full("a.v1.A", "Get"); got != "/a.v1.A/Get" || !IsFull(got) {
		t.Errorf("the full name is %q", got)
	}
}
