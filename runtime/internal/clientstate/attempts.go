package clientstate

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"syscall"
	"time"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// BeginAttempt is called before HTTP/2 connects. It waits while there is no server and no reason to try
// again. If ctx ends in the meantime, it returns the error of the last attempt, which is still true, and no
// attempt is to be made.
func (m *Monitor) BeginAttempt(ctx context.Context) error {
	if err := m.awaitRetry(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.unlock()
	m.startFollowing()
	m.attempt()
	return nil
}

// AttemptFailed records why HTTP/2 could not connect.
func (m *Monitor) AttemptFailed(err error) {
	m.mu.Lock()
	defer m.unlock()
	m.attemptFailed(err)
}

// ServerRefused is AttemptFailed for a server that the client's policy does not permit.
func (m *Monitor) ServerRefused(err error) {
	m.mu.Lock()
	defer m.unlock()
	if m.attemptFailed(err) {
		m.refused++
	}
}

// Accepted records that a permitted server has accepted HTTP/2's connection. It may answer or not.
func (m *Monitor) Accepted(server socket.Peer) {
	m.mu.Lock()
	defer m.unlock()
	m.startFollowing()
	m.attempt()
	if m.step(eventAccepted) {
		m.server = server
		m.lastError = m.conf.Unanswered
		m.endWatch()
	}
}

// LastError returns why the last attempt of either transport failed, or will have failed if the server
// does not answer. It is nil if there was none, or if the server has answered.
func (m *Monitor) LastError() error {
	m.mu.Lock()
	defer m.unlock()
	return m.lastError
}

// attempt records that an attempt of HTTP/2 is being made, and so that a connection before has ended. A
// program's own dialer reports no beginning, so each result calls it too. The caller holds mu.
func (m *Monitor) attempt() {
	switch m.conn {
	case connUnanswered:
		m.step(eventNotAnswered)
		m.fail(m.conf.Unanswered)
	case connReady:
		m.step(eventDisconnected)
	}
	m.step(eventAttempt)
}

// answered records that the server has answered on HTTP/2's connection, if it had not before. The caller
// holds mu.
func (m *Monitor) answered() {
	accepted := m.conn == connUnanswered
	m.step(eventAttempt) // if no attempt was reported: the program has its own dialer and credentials
	if !m.step(eventAnswered) {
		return
	}
	m.readied++
	m.endWatch()
	m.succeed()
	if accepted { // otherwise the server is not known
		m.lost(&m.http2) // that of the connection before
		m.connected(&m.http2, m.server)
	}
}

// attemptFailed is AttemptFailed for a caller that holds mu. It reports whether the failure counts.
func (m *Monitor) attemptFailed(err error) bool {
	m.attempt()
	if errors.Is(err, context.Canceled) {
		m.lastError = err
		m.step(eventAbandoned)
		return false
	}
	e := eventUnreachable
	if isAbsence(err) {
		e = eventAbsent
	}
	if !m.step(e) {
		return false
	}
	m.absence, m.tried = err, time.Now()
	m.fail(err)
	m.startWatch()
	return true
}

// isAbsence tells that there is no server from other reasons why an attempt fails.
func isAbsence(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ECONNREFUSED)
}

// fail counts a failed attempt of HTTP/2, and logs it unless the one before failed for the same reason. The
// caller holds mu.
func (m *Monitor) fail(err error) {
	m.lost(&m.http2)
	m.countFailure(err)
}

// countFailure is fail for an attempt of either transport. The caller holds mu.
func (m *Monitor) countFailure(err error) {
	m.lastError = err
	m.failed++
	if reason := err.Error(); reason != m.reported {
		m.reported = reason
		m.record(slog.LevelWarn, "cannot connect", slog.Any("error", err))
	}
}

// succeed forgets the failures before. The caller holds mu.
func (m *Monitor) succeed() { m.lastError, m.reported = nil, "" }
