package direct

import (
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/udsgrpc/udsgrpc/internal/openfile"
	"github.com/udsgrpc/udsgrpc/runtime/internal/direct/wire"
	"github.com/udsgrpc/udsgrpc/runtime/internal/filewalk"
)

// serverFiles is what a server knows of the open files in its calls.
type serverFiles struct {
	takers []string // methods with open files in requests, by full name
	sends  bool     // there are some in answers

	mu    sync.Mutex
	users map[int]*fileUser // with connections on which open files can arrive
}

// fileUser is a user of whom open files can arrive.
type fileUser struct {
	uid   int
	quota *openfile.Quota
	conns int // guarded by serverFiles.mu
}

// register notes which methods of a service have open files.
func (f *serverFiles) register(desc *grpc.ServiceDesc) {
	for _, m := range filewalk.MethodsOf(desc.ServiceName) {
		if m.InRequest {
			f.takers = append(f.takers, m.FullName)
		}
		f.sends = f.sends || m.InResponse
	}
}

// user returns the user with this uid, of whom one more connection can bring files.
func (f *serverFiles) user(uid int) *fileUser {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.users[uid]
	if u == nil {
		if f.users == nil {
			f.users = map[int]*fileUser{}
		}
		u = &fileUser{uid: uid, quota: openfile.NewQuota(filesPerUser, nil)}
		f.users[uid] = u
	}
	u.conns++
	return u
}

// leave is called when one of the user's connections has ended.
func (f *serverFiles) leave(u *fileUser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u.conns--; u.conns == 0 {
		delete(f.users, u.uid)
	}
}

// takesFiles reports whether clients can send open files.
func (s *Server) takesFiles() bool { return s.conf.MaxFiles > 0 && len(s.files.takers) > 0 }

// prepareFiles decides whether open files can arrive from this client, before anything of a call is read. It
// returns the server's answer to the preface, as far as it is about files. The answer is the same for a
// client that may not send any, because the call itself says that, and why.
func (sc *serverConn) prepareFiles(preface []byte) (answer wire.Answer) {
	s := sc.server
	if p, err := wire.ParsePreface(preface); err == nil {
		sc.takes = int(p.Files)
	}
	answer.TakesFiles, answer.SendsFiles = s.takesFiles(), s.files.sends
	if !answer.TakesFiles {
		return answer
	}
	f := &incoming{pool: s.codec.pool, most: s.conf.MaxFiles, keep: true, refused: true}
	if s.conf.FilesFrom != nil {
		if uid, ok := s.conf.FilesFrom(sc.peer.AuthInfo, s.files.takers); ok {
			sc.fileUser = s.files.user(uid)
			f.refused, f.user = false, sc.fileUser.quota
			sc.allowFiles()
		}
	}
	sc.files = f
	return answer
}

// leaveFiles is called when the connection has ended.
func (sc *serverConn) leaveFiles() {
	if sc.fileUser != nil {
		sc.server.files.leave(sc.fileUser)
	}
}

// gatherFiles returns the open files that go with an answer; nil for none. Those of a stream stay open until
// they are sent.
func (s *serverStream) gatherFiles(m any) (*filewalk.Files, error) {
	files, err := filewalk.ForSending(m)
	if files == nil {
		return nil, err
	}
	n := len(files.IDs())
	switch takes := s.conn.takes; {
	case takes == 0:
		err = errTakesNoFiles
	case n > takes:
		err = status.Errorf(codes.ResourceExhausted, "a message with %d open files, and the client takes %d: nothing was sent", n, takes)
	case s.method.unary == nil: // otherwise it is sent before the handler's caller goes on
		err = files.Keep()
	}
	if err != nil {
		files.Done()
		return nil, err
	}
	return files, nil
}

// refused is called when the kernel does not pass on open files; see outboxOwner.
func (s *serverStream) refused(err error) { s.fail(err) }

// sendRefusal sends the status if the kernel has not passed on the open files of the message before it, and
// the first status was dropped with them. The caller holds mu.
func (s *serverStream) sendRefusal() error {
	if !s.out.cut {
		return nil
	}
	s.out.append(wire.AppendStatusFrame(nil, status.Convert(s.out.refusal), nil, true))
	s.last = true
	return s.out.flush()
}
