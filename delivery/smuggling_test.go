package delivery_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// TestSmugglingInEveryCut plays each session of DATA-02 in two writes, cut at every octet: how
// the network cuts what a client sends never makes an end of data of something that is none.
func TestSmugglingInEveryCut(t *testing.T) {
	files, err := filepath.Glob("../testdata/sessions/DATA-02-*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		script, err := lmtptest.Read(file)
		must(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			for at := 1; at < len(script.Sent()); at++ {
				f := newFixture(t, script.Protocol)
				if err := script.Play(&cutConn{Conn: f.connect(t, "pipe"), at: at}, lmtptest.OneWrite); err != nil {
					t.Fatalf("cut at octet %d: %v", at, err)
				}
				f.shutdown(t)
				f.check(t, script.Checks)
			}
		})
	}
}

// A cutConn makes two writes of one, and on a pipe two reads, where octet at begins.
type cutConn struct {
	net.Conn
	at int // counted from what is written next; <= 0: after us
}

func (c *cutConn) Write(p []byte) (int, error) {
	first := 0
	if c.at > 0 && c.at < len(p) {
		n, err := c.Conn.Write(p[:c.at])
		if err != nil {
			return n, err
		}
		first = n
	}
	c.at -= len(p)
	n, err := c.Conn.Write(p[first:])
	return first + n, err
}
