package direct

// There is no direct transport on Windows; this is what it would do.

func (c *conn) fill() error {
	f := &c.rd
	if f.buf == nil {
		f.buf = f.pool.Get(readBuffer)
	}
	n, err := c.UnixConn.Read((*f.buf)[f.w:])
	f.w += n
	if err != nil {
		f.release()
	}
	return err
}

func (c *conn) fillOnce(uintptr) bool { return true }

func (c *conn) idle() bool { return true }

func (c *conn) sendBuffer() int { return 0 }

func (c *conn) tryWrite([]byte) int { return 0 }
