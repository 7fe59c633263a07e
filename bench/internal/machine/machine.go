// Package machine describes what a run was made on, and with.
package machine

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/udsgrpc/udsgrpc/bench/internal/result"
)

const unknown = "unknown"

// Facts returns what is known of the machine now.
func Facts() []result.Fact {
	return []result.Fact{
		{Name: "CPU", Value: cpuModel()},
		{Name: "cores", Value: fmt.Sprint(runtime.NumCPU())},
		{Name: "kernel", Value: runtime.GOOS + " " + kernel() + " " + runtime.GOARCH},
		{Name: "Go", Value: runtime.Version()},
		{Name: "load before the run", Value: load()},
	}
}

// Version returns the version of a module that this program was built with, "" for no module.
func Version(module string) string {
	if module == "" {
		return ""
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	for _, m := range info.Deps {
		switch {
		case m.Path != module:
		case m.Replace != nil:
			return "this checkout"
		default:
			return m.Version
		}
	}
	return unknown
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// kernel is the version, without the name that who has built it has given to the build.
func kernel() string {
	version, _, _ := strings.Cut(read("/proc/sys/kernel/osrelease"), "-")
	return version
}

// load is the average of the last minute. Above zero, others were at work.
func load() string {
	average, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	return average
}

func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(text))
}
