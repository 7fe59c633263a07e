package inspect

import (
	"os"
	"strconv"
	"strings"
)

// programOf returns the name that a process has given itself, see proc_pid_comm(5), or "".
func programOf(pid int) string {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.ToValidUTF8(strings.TrimSuffix(string(name), "\n"), "\uFFFD")
}
