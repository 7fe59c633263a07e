package runtime

import (
	"fmt"
	"io/fs"
	accounts "os/user"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/udsgrpc/udsgrpc/runtime/socket"
)

// AllowUserName lets in peers whose effective user is one of those named. A name of digits is a uid.
//
// Names are looked up by [NewServer], [Dial], or the first call of [Policy.Permits], and the result is
// kept: if a user is given another uid later, restart the program. A name that is not found is an error of
// NewServer and Dial, or of [Server.Serve] for a rule of a .proto file whose service is registered later.
// Programs that are built without cgo, or with the tag osusergo, read only /etc/passwd and /etc/group, and
// ask neither LDAP nor systemd-userdbd. On Windows, where users have no such ids, every name is an error.
func AllowUserName(names ...string) Policy {
	return allowNames("user", "uid", names, lookUpUser, AllowUID)
}

// AllowGroupName lets in peers with one of the groups named as their effective or a supplementary
// group. A name of digits is a gid. Names are looked up as those of [AllowUserName].
func AllowGroupName(names ...string) Policy {
	return allowNames("group", "gid", names, lookUpGroup, AllowGID)
}

func allowNames(kind, id string, names []string, lookUp func(string) (string, error), allow func(...int) Policy) Policy {
	names = slices.Clone(names)
	resolve := untilFound(func() (Policy, error) {
		ids := make([]int, len(names))
		words := make([]string, len(names))
		for i, name := range names {
			number, err := lookUpID(name, lookUp)
			if err != nil {
				return Policy{}, fmt.Errorf("%s %q: %w: create it, or correct the name (a program without cgo finds those of /etc/passwd and /etc/group only)", kind, name, err)
			}
			ids[i], words[i] = number, fmt.Sprintf("%s (%s %d)", name, id, number)
		}
		p := allow(ids...)
		p.rule = joinNames(kind, words)
		return p, nil
	})
	return Policy{
		rule: joinNames(kind, names),
		allows: func(peer socket.Peer) bool {
			p, err := resolve()
			return err == nil && p.Permits(peer)
		},
		resolve: resolve,
	}
}

func joinNames(kind string, names []string) string {
	if len(names) == 0 {
		return kind + " none"
	}
	return kind + " " + strings.Join(names, " or ")
}

func lookUpUser(name string) (string, error) {
	u, err := accounts.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func lookUpGroup(name string) (string, error) {
	g, err := accounts.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

func lookUpID(name string, lookUp func(string) (string, error)) (int, error) {
	if name != "" && strings.Trim(name, "0123456789") == "" {
		return parseID(name)
	}
	id, err := lookUp(name)
	if err != nil {
		return 0, err
	}
	return parseID(id)
}

func parseID(text string) (int, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no id, which is a number of 32 bits: %w", text, fs.ErrInvalid)
	}
	return int(id), nil
}

// untilFound calls resolve until it has succeeded once, and returns what it found from then on.
func untilFound(resolve func() (Policy, error)) func() (Policy, error) {
	var mu sync.Mutex
	var found *Policy
	return func() (Policy, error) {
		mu.Lock()
		defer mu.Unlock()
		if found == nil {
			p, err := resolve()
			if err != nil {
				return Policy{}, err
			}
			found = &p
		}
		return *found, nil
	}
}

// resolved returns the policy with its names looked up.
func (p Policy) resolved() (Policy, error) {
	if p.resolve == nil {
		return p, nil
	}
	return p.resolve()
}

// resolveEach returns a function that looks up the names of a policy that combines others; nil if none of
// them has names.
func resolveEach(policies []Policy, combine func(...Policy) Policy) func() (Policy, error) {
	if !slices.ContainsFunc(policies, func(p Policy) bool { return p.resolve != nil }) {
		return nil
	}
	return func() (Policy, error) {
		found := make([]Policy, len(policies))
		for i, p := range policies {
			var err error
			if found[i], err = p.resolved(); err != nil {
				return Policy{}, err
			}
		}
		return combine(found...), nil
	}
}
