//go:build unix && !linux

package socket

// rootDir is empty: root gets a directory in the temporary one, like every user. On darwin a group may
// write to /var/run, which Listen would refuse.
const rootDir = ""
