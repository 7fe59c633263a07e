package userns

import "testing"

const (
	everything = "         0          0 4294967295\n"
	rootless   = "         0       1000          1\n         1     100000      65536\n"
)

func TestNumberOfTheUnmappedDependsOnTheMapAndTheKernelsSetting(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		idMap, overflow string
		unmapped        int
		real, nobodys   int // ids that a peer can, and cannot, be known by
	}{
		"a machine":                            {everything, "65534\n", -1, 65534, -1},
		"a machine, in two ranges":             {"0 0 65534\n65534 65534 4294901761\n", "65534\n", -1, 65534, -1},
		"a machine but for one id":             {"0 0 65534\n65535 65535 4294901760\n", "65534\n", 65534, 65535, 65534},
		"rootless":                             {rootless, "65534\n", 65534, 65533, 65534},
		"rootless, ids beyond":                 {rootless, "65534\n", 65534, 65536, 65537},
		"rootless, another number":             {rootless, "4711\n", 4711, 65534, 4711},
		"rootless, root's number":              {rootless, "0\n", 0, 1, 0},
		"one id":                               {"1000 1000 1\n", "65534\n", 65534, 1000, 0},
		"not mapped yet":                       {"", "65534\n", 65534, 0, 65534},
		"no /proc":                             {"", "", 65534, 0, 65534},
		"no /proc/sys":                         {rootless, "", 65534, 0, 65534},
		"a map that cannot be understood":      {"0 0 4294967295 0\n", "65534\n", 65534, 0, 65534},
		"one with a number that is none":       {"0 0 x\n", "65534\n", 65534, 0, 65534},
		"one with a number that is too large":  {"0 0 4294967296\n", "65534\n", 65534, 0, 65534},
		"a setting that cannot be understood":  {rootless, "many\n", 65534, 0, 65534},
		"a setting larger than the kernel has": {rootless, "65536\n", 65534, 0, 65534},
	} {
		ids := parse([]byte(c.idMap), []byte(c.overflow))
		if got := ids.Unmapped(); got != c.unmapped {
			t.Errorf("%s: the number is %d, want %d", name, got, c.unmapped)
		}
		if !ids.Maps(c.real) || ids.Maps(c.nobodys) {
			t.Errorf("%s: id %d is known: %v, and id %d: %v", name, c.real, ids.Maps(c.real), c.nobodys, ids.Maps(c.nobodys))
		}
	}
	if ids := everyID(); ids.Unmapped() != -1 || ids.Overflow() != -1 || !ids.Maps(65534) || ids.Maps(-1) {
		t.Errorf("without namespaces, ids are %+v", ids)
	}
}

// Files are another matter than peers: a mount can map ids in every namespace.
func TestNumberStandsForOwnersOfFilesWhateverTheMap(t *testing.T) {
	t.Parallel()
	if got := parse([]byte(everything), []byte("4711\n")).Overflow(); got != 4711 {
		t.Errorf("the number is %d", got)
	}
}

// Whatever /proc says, the number of the unmapped is nobody's whom a peer could be known as.
func FuzzParse(f *testing.F) {
	f.Add([]byte(everything), []byte("65534\n"), 65534)
	f.Add([]byte(rootless), []byte("0\n"), 0)
	f.Add([]byte("0 0"), []byte("-1"), -1)
	f.Fuzz(func(t *testing.T, idMap, overflow []byte, id int) {
		ids := parse(idMap, overflow)
		if ids.Overflow() < 0 || ids.Overflow() > 65535 {
			t.Errorf("the number is %d", ids.Overflow())
		}
		if n := ids.Unmapped(); n != -1 && n != ids.Overflow() || ids.Maps(n) {
			t.Errorf("%d stands for the unmapped, and is known: %v", n, ids.Maps(n))
		}
		if id < 0 && ids.Maps(id) {
			t.Errorf("%d is known", id)
		}
	})
}
