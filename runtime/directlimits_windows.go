package runtime

// maxDirectServerConns is not used: there is no direct transport on Windows.
func maxDirectServerConns() int { return maxDirectClientConns }
