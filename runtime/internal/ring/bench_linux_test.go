package ring_test

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/internal/ring"
)

// BenchmarkEcho sends a message to another process, which returns it. raw is the same through the socket.
func BenchmarkEcho(b *testing.B) {
	for _, row := range []struct{ size, conns int }{{64, 1}, {64, 4}, {64, 64}, {64, 1000}, {1 << 20, 1}} {
		for _, kind := range []string{"raw", "ring"} {
			b.Run(fmt.Sprintf("%dB/%dcallers/%s", row.size, row.conns, kind), func(b *testing.B) { echo(b, kind, row.conns, row.size) })
		}
	}
}

func echo(b *testing.B, kind string, conns, size int) {
	p := start(b, "echo", conns, kind, strconv.Itoa(conns), strconv.Itoa(size))
	spinners := ring.NewSpinners()
	times := make([][]time.Duration, conns)
	var wg sync.WaitGroup
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ResetTimer()
	for i := range conns {
		e := p.end(b, i, spinners)
		calls := b.N/conns + 1
		times[i] = make([]time.Duration, 0, calls)
		wg.Go(func() {
			m := make([]byte, size)
			var writeErr, readErr error
			for range calls {
				begin := time.Now()
				if kind == "raw" {
					_, writeErr = e.socket.Write(m)
					_, readErr = io.ReadFull(e.socket, m)
				} else {
					writeErr = e.writeOut(m)
					_, readErr = io.ReadFull(e, m)
				}
				if writeErr != nil || readErr != nil {
					b.Error(writeErr, readErr)
					return
				}
				times[i] = append(times[i], time.Since(begin))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	p.close(b)
	usage := p.ProcessState.SysUsage().(*syscall.Rusage)
	all := slices.Concat(times...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1000, "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1000, "p99-us")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(len(all))/1000, "cpu-us/op")
	b.ReportMetric(float64(usage.Utime.Nano()+usage.Stime.Nano())/float64(len(all))/1000, "peercpu-us/op")
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "calls/s")
}
