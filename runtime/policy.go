package runtime

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/udsgrpc/udsgrpc/runtime/internal/userns"
	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// Policy says which peers are let in: which clients may call a server, see [Authorize], and which servers
// a client trusts, see [WithServerPolicy]. The zero Policy lets nobody in. Policies do not change and may
// be shared.
//
// A policy judges the peer as the kernel reports it. If the kernel does not know the peer (a user that is
// unmapped in this user namespace, a system without peer credentials) every policy refuses, except
// [Anyone] and those of [NewPolicy] that say otherwise. Linux reports such users as one number, mostly
// 65534, which then belongs to no user; see [socket.Peer].
type Policy struct {
	rule   string
	allows func(socket.Peer) bool
	// resolve looks up the names in the policy; nil if there are none.
	resolve func() (Policy, error)
	// others says which users the policy lets in that are neither this process's nor root, and so need a
	// socket file and directories that let them connect.
	others extent
	// unmapped says how much of the policy is for users that are unmapped here, and so never known.
	unmapped extent
}

// extent says whether none, some or all of something is meant.
type extent int

const (
	none extent = iota
	part
	whole
)

// String returns the rule as it is named in refusals and logs.
func (p Policy) String() string {
	if p.allows == nil {
		return "nobody"
	}
	return p.rule
}

// Permits reports whether the policy lets peer in. Servers and clients call it. It can also be used to
// test a policy, and in a program's own interceptor with the result of [PeerFromContext].
//
// It does not block, unless a name has to be looked up first; see [AllowUserName]. If that fails, nobody
// is let in.
func (p Policy) Permits(peer socket.Peer) bool { return p.allows != nil && p.allows(peer) }

// NewPolicy returns a policy that lets in those peers for which permits returns true. Refusals and logs
// name the rule, in words such as "members of the build". permits is called for each call that a server
// receives and each connection that a client makes, by several goroutines at once. If it is nil, nobody is
// let in.
//
// A peer whose HasUID is false has a UID of -1 and no groups; permits must take care not to let it in by
// accident. It is not known, and so not checked, what socket mode the rule needs.
func NewPolicy(rule string, permits func(socket.Peer) bool) Policy {
	return Policy{rule: cmp.Or(rule, "one of the program's own"), allows: permits}
}

// SameUser lets in peers with this process's effective user. Root is another user: combine it with [Root]
// to let in both.
//
// A process whose own uid is the number that stands for unmapped users, as "nobody" can be in a user
// namespace that does not map every id, cannot tell its user from those. There SameUser lets in nobody,
// and [NewServer] and [Dial] fail if there is no other rule.
func SameUser() Policy {
	uid := os.Geteuid()
	return Policy{
		rule:     "same user (uid " + strconv.Itoa(uid) + ")",
		allows:   func(p socket.Peer) bool { return hasUID(p, uid) },
		unmapped: unlessMapped(uid, whole),
	}
}

// Root lets in peers of uid 0, which in a user namespace is root of that namespace's owner.
func Root() Policy {
	return Policy{
		rule:     "root",
		allows:   func(p socket.Peer) bool { return hasUID(p, 0) },
		unmapped: unlessMapped(0, whole),
	}
}

// Anyone lets in every peer, even one that the kernel does not know. The mode of the socket file still
// decides who can connect.
func Anyone() Policy {
	return Policy{rule: "anyone", allows: func(socket.Peer) bool { return true }, others: whole}
}

// AllowUID lets in peers whose effective user is one of uids.
func AllowUID(uids ...int) Policy {
	uids = slices.Clone(uids)
	p := Policy{
		rule:   "uid " + joinIDs(uids),
		allows: func(p socket.Peer) bool { return slices.ContainsFunc(uids, func(u int) bool { return hasUID(p, u) }) },
	}
	for _, uid := range uids {
		if uid != 0 && uid != os.Geteuid() {
			p.others = part
		}
		p.unmapped = max(p.unmapped, unlessMapped(uid, part))
	}
	return p
}

// AllowGID lets in peers with one of gids as their effective or a supplementary group.
func AllowGID(gids ...int) Policy {
	gids = slices.Clone(gids)
	p := Policy{
		rule:   "gid " + joinIDs(gids),
		allows: func(p socket.Peer) bool { return slices.ContainsFunc(gids, func(g int) bool { return hasGID(p, g) }) },
	}
	if len(gids) > 0 {
		p.others = part
	}
	return p
}

// Any lets in peers that at least one of the policies lets in; without policies, nobody.
func Any(policies ...Policy) Policy {
	policies = slices.Clone(policies)
	p := Policy{
		rule: joinRules(policies, " or "),
		allows: func(p socket.Peer) bool {
			return slices.ContainsFunc(policies, func(q Policy) bool { return q.Permits(p) })
		},
		resolve: resolveEach(policies, Any),
	}
	matched := len(policies) == 0
	for _, q := range policies {
		p.others = max(p.others, q.others)
		p.unmapped = max(p.unmapped, min(q.unmapped, part))
		matched = matched || q.unmapped != whole
	}
	if !matched {
		p.unmapped = whole
	}
	return p
}

// All lets in peers that each of the policies lets in; without policies, nobody.
func All(policies ...Policy) Policy {
	policies = slices.Clone(policies)
	p := Policy{
		rule: joinRules(policies, " and "),
		allows: func(p socket.Peer) bool {
			return len(policies) > 0 && !slices.ContainsFunc(policies, func(q Policy) bool { return !q.Permits(p) })
		},
		resolve: resolveEach(policies, All),
	}
	for i, q := range policies {
		if i == 0 {
			p.others = q.others
		}
		p.others = min(p.others, q.others)
		p.unmapped = max(p.unmapped, q.unmapped)
	}
	return p
}

func hasUID(p socket.Peer, uid int) bool { return p.HasUID && p.UID == uid }

func hasGID(p socket.Peer, gid int) bool {
	// The user may be known, and the group not: that is -1.
	return p.HasUID && gid >= 0 && (p.GID == gid || slices.Contains(p.Groups, gid))
}

// unlessMapped returns none if a peer can be known by this uid, and otherwise the other value.
func unlessMapped(uid int, otherwise extent) extent {
	if userns.UIDs().Maps(uid) {
		return none
	}
	return otherwise
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
