package opendir

import "testing"

const mounts = `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
41 27 0:26 / /mnt rw,relatime,idmapped - tmpfs tmpfs rw
410 27 0:27 / /idmapped rw,relatime master:3 - tmpfs idmapped rw,idmapped
9 27
`

func TestMountThatMapsIDsIsTold(t *testing.T) {
	t.Parallel()
	for id, want := range map[uint64]bool{27: true, 41: false, 410: true, 4: false, 9: false} {
		if got := listsPlainMount([]byte(mounts), id); got != want {
			t.Errorf("mount %d maps no ids: %v, want %v", id, got, want)
		}
	}
}

// A mount that is not in the list is not known.
func FuzzListsPlainMount(f *testing.F) {
	f.Add([]byte(mounts), uint64(27))
	f.Fuzz(func(t *testing.T, text []byte, id uint64) {
		listsPlainMount(text, id)
		if listsPlainMount(nil, id) {
			t.Error("a mount is known from nothing")
		}
	})
}
