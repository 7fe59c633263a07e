package schema

import "testing"

func TestNearestIsMuchLikeTheName(t *testing.T) {
	t.Parallel()
	names := []string{"greeter.v1.Greeter", "grpc.health.v1.Health", "id"}
	for name, want := range map[string]string{
		"greeter.v1.Greter":  "greeter.v1.Greeter",
		"Greeter":            "greeter.v1.Greeter",
		"GREETER.V1.GREETER": "greeter.v1.Greeter",
		"health":             "grpc.health.v1.Health",
		"ID":                 "id",
		"x":                  "",
		"":                   "",
		"something":          "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("the nearest of %q is %q, want %q", name, got, want)
		}
	}
}
