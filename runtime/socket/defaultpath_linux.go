package socket

// rootDir is where root's sockets are: nobody else can write there, and it is emptied at boot.
const rootDir = "/run"
