package socket

// rootDir is the directory for root's sockets: nobody else can write to it, and it is emptied at boot.
const rootDir = "/run"
