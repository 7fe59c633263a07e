// Package userns tells which ids are known in the user namespace of this process.
//
// The kernel reports a user who has no uid in the namespace of the process that asks as one number,
// the overflow uid, which is 65534 unless the machine was set up otherwise; groups likewise
// (user_namespaces(7)). An id that is reported as that number is unmapped: it may be of anybody.
// Where the namespace maps every id nobody can be unmapped, and the number is an id like any other.
package userns

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
)

const (
	// defaultOverflow is the overflow id of a kernel that was not told otherwise.
	defaultOverflow = 65534
	// allIDs is how many ids there are: the largest number of 32 bits is none.
	allIDs = math.MaxUint32
)

// IDs says which uids, or which gids, are known. It does not change.
type IDs struct {
	overflow int       // what stands for those that are not mapped; -1 if there is no such number
	ranges   []idRange // that are mapped; nil if none is yet, or that could not be found out
}

type idRange struct{ first, count uint64 }

// everyID is for systems without user namespaces.
func everyID() *IDs { return &IDs{overflow: -1, ranges: []idRange{{0, allIDs}}} }

// Overflow returns the number that stands for an id which is not mapped; -1 on systems that have no
// such thing. Owners of files are reported so even if Unmapped returns -1, as a mount may map ids, too.
func (ids *IDs) Overflow() int { return ids.overflow }

// Unmapped returns the number that stands for peers whose id is not mapped; -1 if every id is, so that
// there are no such peers.
func (ids *IDs) Unmapped() int {
	var mapped uint64
	for _, r := range ids.ranges {
		mapped += r.count
	}
	if mapped == allIDs {
		return -1
	}
	return ids.overflow
}

// Maps reports whether a peer can be known by this id.
func (ids *IDs) Maps(id int) bool {
	if id < 0 || id == ids.Unmapped() {
		return false
	}
	return ids.ranges == nil || slices.ContainsFunc(ids.ranges, func(r idRange) bool {
		return uint64(id) >= r.first && uint64(id)-r.first < r.count
	})
}

// parse reads what /proc says: idMap is a uid_map or gid_map, and overflow an overflowuid or
// overflowgid. What could not be read is nil: then ids may be unmapped, and the number is the usual.
func parse(idMap, overflow []byte) *IDs {
	ids := &IDs{overflow: defaultOverflow}
	if n, err := strconv.ParseUint(string(bytes.TrimSpace(overflow)), 10, 16); err == nil {
		ids.overflow = int(n)
	}
	if ranges, err := parseMap(idMap); err == nil {
		ids.ranges = ranges
	}
	return ids
}

// parseMap reads lines of three numbers: the first id inside of the namespace, the one that it is
// outside, and how many ids there are from there on.
func parseMap(text []byte) ([]idRange, error) {
	var ranges []idRange
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) != 3 {
			return nil, fmt.Errorf("id map: line %q has not three numbers", lines.Text())
		}
		var numbers [3]uint64
		for i, field := range fields {
			n, err := strconv.ParseUint(string(field), 10, 32)
			if err != nil {
				return nil, fmt.Errorf("id map: line %q: %w", lines.Text(), err)
			}
			numbers[i] = n
		}
		ranges = append(ranges, idRange{first: numbers[0], count: numbers[2]})
	}
	return ranges, lines.Err()
}

// Describe describes the number that stands for unmapped users, which can also be nobody's.
func Describe(uid int) string {
	return fmt.Sprintf("uid %d (nobody, or a user unknown in this user namespace)", uid)
}
