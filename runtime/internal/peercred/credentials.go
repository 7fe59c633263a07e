// Package peercred reads the credentials of the process at the other end of a connection, as the kernel
// recorded them.
package peercred

import (
	"fmt"
	"net"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
)

// Credentials are what is known of a process. The fields are those of socket.Peer, which documents them.
type Credentials struct {
	UID, GID int
	Groups   []int
	PID      int
	HasUID   bool
	HasPID   bool
	Unmapped bool // the system reported the number that stands for unmapped users
}

// nobodyKnown is the peer before anything is known about it.
func nobodyKnown() Credentials { return Credentials{UID: -1, GID: -1} }

// Of asks the kernel for the process at the other end of conn. After an error nothing is known of it.
func Of(conn *net.UnixConn) (Credentials, error) {
	var c Credentials
	var credErr error
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { c, credErr = OfSocket(int(fd)) })
	}
	if err == nil {
		err = credErr
	}
	if err != nil {
		return nobodyKnown(), fmt.Errorf("peer of %s: %w", conn.LocalAddr(), err)
	}
	return c, nil
}

// String describes the process for people, as in "uid 1000, gid 1000, process 42", or
// "uid 65534 (nobody, or a user unknown in this user namespace), process 42".
func (c Credentials) String() string {
	user := "an unknown user"
	switch {
	case c.HasUID && c.GID >= 0:
		user = fmt.Sprintf("uid %d, gid %d", c.UID, c.GID)
	case c.HasUID:
		user = fmt.Sprintf("uid %d, unknown gid", c.UID)
	case c.Unmapped:
		user = userns.Describe(userns.UIDs().Overflow())
	}
	if c.HasPID {
		return fmt.Sprintf("%s, process %d", user, c.PID)
	}
	return user
}

// setUser fills in the user and its group, unless they are unknown.
func (c *Credentials) setUser(uid, gid uint32) {
	if int32(uid) == -1 {
		return
	}
	if c.Unmapped = int(uid) == userns.UIDs().Unmapped(); c.Unmapped {
		return
	}
	c.UID, c.HasUID = int(uid), true
	if isGIDKnown(gid) {
		c.GID = int(gid)
	}
}

// addGroups fills in the supplementary groups, without unknown ones.
func (c *Credentials) addGroups(gids []uint32) {
	for _, gid := range gids {
		if isGIDKnown(gid) {
			c.Groups = append(c.Groups, int(gid))
		}
	}
}

func isGIDKnown(gid uint32) bool { return int(gid) != userns.GIDs().Unmapped() && int32(gid) != -1 }
