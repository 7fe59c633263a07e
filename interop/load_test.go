package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// tally is what came of the calls of several callers, as every client prints it.
type tally struct {
	Calls   int            `json:"calls"`
	Failed  int            `json:"failed"`
	Seconds float64        `json:"seconds"`
	Gap     float64        `json:"gap"` // the longest time without a success, in seconds
	Median  float64        `json:"median"`
	Codes   map[string]int `json:"codes"`
	Text    string         `json:"text"` // of the first failure
}

// String is for the table.
func (t tally) String() string {
	var reasons []string
	for _, code := range slices.Sorted(maps.Keys(t.Codes)) {
		name := code
		if number, err := strconv.ParseUint(code, 10, 32); err == nil {
			name = codes.Code(number).String()
		}
		reasons = append(reasons, fmt.Sprintf("%s %d", name, t.Codes[code]))
	}
	text := fmt.Sprintf("%d of %d calls failed, at most %.0f ms without a success", t.Failed, t.Calls, t.Gap*1000)
	if len(reasons) > 0 {
		text += " (" + strings.Join(reasons, ", ") + ")"
	}
	return text
}

// told is a client that does what lines on its standard input say.
type told struct {
	*daemon
	in io.WriteCloser
}

// tell starts a client and waits until it says that it is ready.
func (c *cell) tell(cmd *exec.Cmd) *told {
	c.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		c.Fatalf("%v", err)
	}
	t := &told{c.start(cmd), in}
	c.Cleanup(func() { _ = in.Close() })
	c.says(t.daemon, "ready\n")
	return t
}

// says waits until a program has printed something.
func (c *cell) says(d *daemon, what string) {
	c.Helper()
	c.waitFor(fmt.Sprintf("%s to say %q", d.Path, what), func() bool {
		if strings.Contains(d.log.String(), what) {
			return true
		}
		select {
		case <-d.exited:
			c.Fatalf("%s has ended: %s", d.Path, d.log)
		default:
		}
		return false
	})
}

func (c *cell) line(t *told, line string) {
	c.Helper()
	if _, err := io.WriteString(t.in, line+"\n"); err != nil {
		c.Fatalf("%v: %s", err, t.log)
	}
}

// startLoad has callers of a client call until endLoad.
func (c *cell) startLoad(cmd func(args ...string) *exec.Cmd, callers int) *told {
	c.Helper()
	t := c.tell(cmd("load", strconv.Itoa(callers)))
	c.line(t, "0")
	return t
}

func (c *cell) endLoad(t *told) tally {
	c.Helper()
	if err := t.in.Close(); err != nil {
		c.Fatalf("%v", err)
	}
	<-t.exited
	_, report, _ := strings.Cut(t.log.String(), "\n{")
	var got tally
	if err := json.NewDecoder(strings.NewReader("{" + report)).Decode(&got); err != nil {
		c.Fatalf("%v: %s", err, t.log)
	}
	return got
}

// startHold has a stream open that is silent until endHold, which returns "ok" or why it has failed.
func (c *cell) startHold(cmd func(args ...string) *exec.Cmd, keepalive time.Duration) *told {
	c.Helper()
	return c.tell(cmd("hold", strconv.FormatInt(keepalive.Milliseconds(), 10)))
}

func (c *cell) endHold(t *told) string {
	c.Helper()
	c.line(t, "")
	<-t.exited
	_, outcome, _ := strings.Cut(t.log.String(), "ready\n")
	return strings.TrimSpace(outcome)
}

// ourProgram is a client of this project as a program in another language is one.
func (c *cell) ourProgram(kind clientKind) program {
	return func(ctx context.Context, path string, args ...string) *exec.Cmd {
		return child(ctx, c, "told", append([]string{string(kind), path}, args...)...)
	}
}

// runTold is the program of ourProgram: load or hold.
func runTold(args []string) (err error) {
	conn, err := dial(clientKind(args[0]), args[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	client := testgrpc.NewTestServiceClient(conn)
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	if args[2] == "hold" {
		return hold(client, lines)
	}
	callers, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	<-lines
	got := load(client, callers, lines)
	return json.NewEncoder(os.Stdout).Encode(got)
}

// load calls until there is something to be read from lines, or they have ended.
func load(client testgrpc.TestServiceClient, callers int, lines <-chan string) tally {
	var mu sync.Mutex
	began := time.Now()
	success := began
	got := tally{Codes: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				call, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				_, err := client.UnaryCall(call, &testgrpc.SimpleRequest{ResponseSize: 64})
				cancel()
				mu.Lock()
				got.Calls++
				if err == nil {
					got.Gap = max(got.Gap, time.Since(success).Seconds())
					success = time.Now()
				} else {
					got.Failed++
					got.Codes[strconv.Itoa(int(status.Code(err)))]++
					if got.Text == "" {
						got.Text = err.Error()
					}
				}
				mu.Unlock()
				if err != nil {
					<-time.After(10 * time.Millisecond)
				}
			}
		})
	}
	<-lines
	stop()
	all.Wait()
	got.Gap = max(got.Gap, time.Since(success).Seconds())
	got.Seconds = time.Since(began).Seconds()
	return got
}

func hold(client testgrpc.TestServiceClient, lines <-chan string) error {
	stream, err := client.FullDuplexCall(context.Background())
	if err != nil {
		return err
	}
	if err := exchange(stream); err != nil {
		return err
	}
	fmt.Println("ready")
	<-lines
	err = exchange(stream)
	if err == nil {
		err = stream.CloseSend()
	}
	if err == nil {
		if _, err = stream.Recv(); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		fmt.Println("failed", err)
		return nil
	}
	fmt.Println("ok")
	return nil
}
