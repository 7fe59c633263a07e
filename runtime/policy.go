package runtime

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Policy says which peers are let in: by a server which clients may call, see [Authorize], by
// a client which servers it talks to, see [WithServerPolicy]. The zero Policy lets nobody in.
// Policies do not change and may be shared.
//
// A policy judges what the kernel says of the peer. Where the kernel does not know (another
// user namespace, a system without peer credentials) every policy but [Anyone] refuses; in
// particular no policy ever matches uid or gid 65534, which is how Linux reports the unknown.
type Policy struct {
	rule   string
	allows func(socket.Peer) bool
	// others reports whether the policy lets in users who are neither this process's nor
	// root, and so need a socket file that lets them connect.
	others bool
}

// String returns the rule as refusals and logs name it.
func (p Policy) String() string {
	if p.allows == nil {
		return "nobody"
	}
	return p.rule
}

func (p Policy) permits(peer socket.Peer) bool { return p.allows != nil && p.allows(peer) }

// SameUser lets in peers with this process's effective user. Root is another user: combine
// it with [Root] to let in both.
func SameUser() Policy {
	uid := os.Geteuid()
	return Policy{
		rule:   fmt.Sprintf("same user (uid %d)", uid),
		allows: func(p socket.Peer) bool { return hasUID(p, uid) },
	}
}

// Root lets in peers of uid 0, which in a user namespace is root of that namespace's owner.
func Root() Policy {
	return Policy{rule: "root", allows: func(p socket.Peer) bool { return hasUID(p, 0) }}
}

// Anyone lets in every peer, also one that the kernel does not know. The mode of the socket
// file still decides who can connect.
func Anyone() Policy {
	return Policy{rule: "anyone", allows: func(socket.Peer) bool { return true }, others: true}
}

// AllowUID lets in peers whose effective user is one of uids.
func AllowUID(uids ...int) Policy {
	uids = slices.Clone(uids)
	return Policy{
		rule:   "uid " + joinIDs(uids),
		allows: func(p socket.Peer) bool { return slices.ContainsFunc(uids, func(u int) bool { return hasUID(p, u) }) },
		others: slices.ContainsFunc(uids, func(u int) bool { return u != 0 && u != os.Geteuid() }),
	}
}

// AllowGID lets in peers with one of gids as their effective or a supplementary group.
func AllowGID(gids ...int) Policy {
	gids = slices.Clone(gids)
	return Policy{
		rule:   "gid " + joinIDs(gids),
		allows: func(p socket.Peer) bool { return slices.ContainsFunc(gids, func(g int) bool { return hasGID(p, g) }) },
		others: len(gids) > 0,
	}
}

// Any lets in peers that at least one of the policies lets in; without policies, nobody.
func Any(policies ...Policy) Policy {
	policies = slices.Clone(policies)
	return Policy{
		rule: joinRules(policies, " or "),
		allows: func(p socket.Peer) bool {
			return slices.ContainsFunc(policies, func(q Policy) bool { return q.permits(p) })
		},
		others: slices.ContainsFunc(policies, func(q Policy) bool { return q.others }),
	}
}

// All lets in peers that each of the policies lets in; without policies, nobody.
func All(policies ...Policy) Policy {
	policies = slices.Clone(policies)
	return Policy{
		rule: joinRules(policies, " and "),
		allows: func(p socket.Peer) bool {
			return len(policies) > 0 && !slices.ContainsFunc(policies, func(q Policy) bool { return !q.permits(p) })
		},
		others: len(policies) > 0 && !slices.ContainsFunc(policies, func(q Policy) bool { return !q.others }),
	}
}

func hasUID(p socket.Peer, uid int) bool { return p.HasUID && p.UID == uid }

func hasGID(p socket.Peer, gid int) bool {
	// A user may be known whose group is not: that is -1.
	return p.HasUID && gid >= 0 && (p.GID == gid || slices.Contains(p.Groups, gid))
}

func joinIDs(ids []int) string {
	if len(ids) == 0 {
		return "none"
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = fmt.Sprint(id)
	}
	return strings.Join(texts, " or ")
}

func joinRules(policies []Policy, word string) string {
	if len(policies) == 0 {
		return "nobody"
	}
	rules := make([]string, len(policies))
	for i, p := range policies {
		rules[i] = p.String()
	}
	if len(rules) == 1 {
		return rules[0]
	}
	return "(" + strings.Join(rules, word) + ")"
}
