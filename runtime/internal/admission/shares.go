package admission

// shares says how many of the descriptors that the process may open are for connections.
type shares struct {
	all    int // of all users together; the rest is for the program's own work
	others int // of all users together except root and the server's own
	each   int // of each of those others
	direct int // of root and the server's own over the direct transport; half of the others' share is for theirs
}

// workReserve is how many descriptors are kept at least for the program's own work, unless that is more
// than half of all.
const workReserve = 16

// sharesOf divides descriptors. Other users get half, so that root and the server's own user have more
// left than all others together can take. perUser is 0 for the default, a quarter.
func sharesOf(descriptors, perUser int) shares {
	s := shares{
		all:    descriptors - max(descriptors/8, min(workReserve, descriptors/2)),
		others: descriptors / 2,
		direct: descriptors / 4,
	}
	if perUser == 0 {
		perUser = max(descriptors/4, 1)
	}
	s.each = min(perUser, s.others)
	return s
}
