package opendir

// MaxPath is the room for a path in the socket address, less the NUL at its end.
const MaxPath = 107
