package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/udsgrpc/udsgrpc/cmd/udsgrpc/internal/sockets"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// listing is what ls has found.
type listing struct {
	rows   []row
	unread []row // directories that were named and cannot be read
}

const (
	// Greeting a server is little work, and long waiting where it hangs. Asking it for services is work.
	greetedAtOnce = 256
	askedAtOnce   = 16
	// askTimeout is how long a server may take to list its services.
	askTimeout = 2 * time.Second
	// tempDepth is how many levels of the directory of temporary files, which can hold anything, are looked at.
	tempDepth = 1
)

// list finds the sockets and asks them. With start it does so even if that may start a service. If ctx ends meanwhile,
// the list is not complete, and wrong about sockets that did not get the time to answer.
func list(ctx context.Context, dirs []string, start bool) (*listing, error) {
	l := new(listing)
	found, err := l.find(ctx, dirs)
	if err != nil {
		return nil, err
	}
	l.rows = make([]row, len(found))
	names := new(userNames)
	managed := sockets.ManagerRuns()
	all := func(int) bool { return true }
	l.each(all, greetedAtOnce, func(i int) {
		l.rows[i] = describe(found[i], names)
		if reason := reasonNotToAsk(found[i], managed); reason != "" && !start {
			l.rows[i].State, l.rows[i].Detail = stateNotAsked, reason+": --start asks it"
			return
		}
		l.rows[i].greet(ctx, found[i])
	})
	// Who was one of many may have had no time.
	in := func(state socket.Condition) func(int) bool {
		return func(i int) bool { return l.rows[i].State == string(state) }
	}
	if len(found) > askedAtOnce {
		l.each(in(socket.Unresponsive), greetedAtOnce, func(i int) { l.rows[i].greet(ctx, found[i]) })
	}
	l.each(in(socket.Ready), askedAtOnce, func(i int) { l.rows[i].ask(ctx, found[i]) })
	slices.SortStableFunc(l.rows, func(a, b row) int { return cmp.Compare(a.Path, b.Path) })
	return l, nil
}

// each calls do with the numbers of the rows that are chosen, of at most limit at a time.
func (l *listing) each(chosen func(i int) bool, limit int, do func(i int)) {
	var doing sync.WaitGroup
	places := make(chan struct{}, limit)
	for i := range l.rows {
		places <- struct{}{}
		doing.Go(func() {
			defer func() { <-places }()
			if chosen(i) {
				do(i)
			}
		})
	}
	doing.Wait()
}

// find returns the sockets in the directories, or all of them.
func (l *listing) find(ctx context.Context, dirs []string) (found []*sockets.Socket, err error) {
	// First the files, then who listens: a socket that is made meanwhile is then known to be systemd's if it is.
	files := l.walk(ctx, dirs)
	listening, err := sockets.Listening()
	if err != nil {
		return nil, fmt.Errorf("list the sockets of this machine: %w", err)
	}
	byName := map[string][]*sockets.Socket{} // by the last element of the path, so that few files are compared
	for _, s := range listening {
		name := filepath.Base(s.Path)
		byName[name] = append(byName[name], s)
	}
	taken := map[*sockets.Socket]bool{}
	for _, file := range files {
		s := file
		for _, candidate := range byName[filepath.Base(file.Path)] {
			if candidate.File != nil && os.SameFile(candidate.File, file.File) {
				s = candidate
			}
		}
		if !taken[s] {
			taken[s] = true
			found = append(found, s)
		}
	}
	if len(dirs) > 0 {
		return found, nil
	}
	for _, s := range listening {
		if !taken[s] {
			found = append(found, s)
		}
	}
	return found, nil
}

// walk returns the socket files in the directories, or in those where most are.
func (l *listing) walk(ctx context.Context, dirs []string) (files []*sockets.Socket) {
	take := func(path string, file fs.FileInfo) {
		files = append(files, &sockets.Socket{Path: path, File: file})
	}
	for _, dir := range dirs {
		absolute, err := filepath.Abs(dir)
		if err == nil {
			err = sockets.Walk(ctx, absolute, sockets.Unlimited, take)
		}
		if err != nil {
			l.unread = append(l.unread, row{Path: absolute, State: stateUnread, Detail: err.Error()})
		}
	}
	if len(dirs) > 0 {
		return files
	}
	// What cannot be read of these is left out.
	_ = sockets.Walk(ctx, "/run", sockets.Unlimited, take)
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" && !strings.HasPrefix(filepath.Clean(dir), "/run/") {
		_ = sockets.Walk(ctx, dir, sockets.Unlimited, take)
	}
	_ = sockets.Walk(ctx, os.TempDir(), tempDepth, take)
	return files
}

// reasonNotToAsk returns why a connection could start a service, or "".
func reasonNotToAsk(s *sockets.Socket, managed bool) string {
	switch {
	case s.Managed():
		p := s.Holders[0]
		return fmt.Sprintf("only %s (process %d) holds it, which starts a service for the first client", p.Name, p.PID)
	case managed && s.Listens && len(s.Holders) == 0:
		return "its process cannot be seen, and may be systemd, which starts a service for the first client"
	default:
		return ""
	}
}

// describe fills in what needs no connection.
func describe(s *sockets.Socket, names *userNames) row {
	r := row{Path: s.Path, Clients: s.Clients}
	if s.File != nil {
		r.Mode = fmt.Sprintf("%04o", s.File.Mode().Perm())
		if uid, ok := sockets.Owner(s.File); ok {
			r.UID, r.Owner = &uid, names.of(uid)
		}
	}
	for _, p := range s.Holders {
		r.Processes = append(r.Processes, processRow(p))
	}
	return r
}

// dialPath is the path as package socket reads it.
func dialPath(s *sockets.Socket) string {
	if s.Abstract() || filepath.IsAbs(s.Path) {
		return s.Path
	}
	return "./" + s.Path
}

// greet connects to the socket and finds out whether a server answers.
func (r *row) greet(ctx context.Context, s *sockets.Socket) {
	if s.File == nil && !s.Abstract() {
		r.State = stateNoFile
		r.Detail = "a process listens, and nobody can reach it: the file was removed, or is in a file system that this process does not see"
		return
	}
	d := socket.Diagnose(ctx, dialPath(s))
	r.State, r.Detail = string(d.Condition), d.Detail
	if len(r.Processes) == 0 && d.PID != 0 {
		r.Processes = []processRow{processRow(sockets.ProcessOf(d.PID))}
	}
	if d.Condition == socket.Stale && s.Listens {
		r.Detail = "a process listens on another socket that had this path, and nobody on this one"
	}
}

// ask asks the server for its services.
func (r *row) ask(ctx context.Context, s *sockets.Socket) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	services := askServices(ctx, dialPath(s))
	r.Transports, r.Services, r.Detail = services.transports, services.names, services.detail
	if services.notGRPC {
		r.State = string(socket.NotGRPC)
		return
	}
	if s.File != nil && s.File.Mode().Perm()&0o222 == 0 {
		r.State = string(socket.Denied)
		r.Detail = "nobody but root may connect, as nobody may write to the file"
	}
}

// userNames remembers the names of users. It is ready to use, also by several goroutines.
type userNames struct {
	mu    sync.Mutex
	known map[int]string // guarded by mu
}

// of returns the name of a user, or the number of one without a name.
func (n *userNames) of(uid int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := n.known[uid]
	if ok {
		return name
	}
	name = strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if n.known == nil {
		n.known = map[int]string{}
	}
	n.known[uid] = name
	return name
}
