package main

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// volumes is all that the plugin knows; it ends with the process. Every method may be called again
// with the same arguments, as CSI's callers do when they have not seen the answer.
type volumes struct {
	mu      sync.Mutex
	byID    map[string]*csi.Volume
	ids     map[string]string // by name
	targets map[string]string // ids, by where they are published
}

func newVolumes() *volumes {
	return &volumes{byID: map[string]*csi.Volume{}, ids: map[string]string{}, targets: map[string]string{}}
}

// create returns the volume of that name, which may be there already.
func (v *volumes) create(name string, size *csi.CapacityRange) (*csi.Volume, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if volume, ok := v.byID[v.ids[name]]; ok {
		if has := volume.GetCapacityBytes(); has < size.GetRequiredBytes() || size.GetLimitBytes() > 0 && has > size.GetLimitBytes() {
			return nil, status.Errorf(codes.AlreadyExists, "volume %q has %d bytes, which is not what is asked for", name, has)
		}
		return proto.CloneOf(volume), nil
	}
	volume := &csi.Volume{VolumeId: rand.Text(), CapacityBytes: max(size.GetRequiredBytes(), size.GetLimitBytes())}
	v.ids[name], v.byID[volume.GetVolumeId()] = volume.GetVolumeId(), volume
	return proto.CloneOf(volume), nil
}

// remove is content with a volume that is gone, and not with one that is in use.
func (v *volumes) remove(id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for target, published := range v.targets {
		if published == id {
			return status.Errorf(codes.FailedPrecondition, "volume %s is published at %s", id, target)
		}
	}
	for name, named := range v.ids {
		if named == id {
			delete(v.ids, name)
		}
	}
	delete(v.byID, id)
	return nil
}

func (v *volumes) check(id string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.checkLocked(id)
}

func (v *volumes) checkLocked(id string) error {
	if _, ok := v.byID[id]; !ok {
		return status.Errorf(codes.NotFound, "there is no volume %s", id)
	}
	return nil
}

// publish makes a directory where a plugin with something to offer would mount it.
func (v *volumes) publish(id, target string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkLocked(id); err != nil {
		return err
	}
	if published, ok := v.targets[target]; ok && published != id {
		return status.Errorf(codes.AlreadyExists, "volume %s is published at %s", published, target)
	}
	if err := os.Mkdir(target, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return status.Errorf(codes.Internal, "publish volume %s: %v", id, err)
	}
	v.targets[target] = id
	return nil
}

// unpublish removes the directory if it is one that publish has made, and empty.
func (v *volumes) unpublish(id, target string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.checkLocked(id); err != nil {
		return err
	}
	if v.targets[target] != id {
		return nil
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return status.Errorf(codes.Internal, "unpublish volume %s: %v", id, err)
	}
	delete(v.targets, target)
	return nil
}
