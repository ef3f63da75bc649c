package admin

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestCrowd: as many connections as there may be, which are kept alive, say nothing, or begin a request, keep nobody
// away from /healthz; and they are no more than there may be.
func TestCrowd(t *testing.T) {
	for name, says := range map[string]string{
		"kept alive": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"silent":     "",
		"half":       "GET /healthz HTTP/1.1\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s, ended := fake(), make(chan error, 1)
			go func() { ended <- s.Serve(l) }()
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			for range 3 * maxConnections {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, says) // it may be cut off already
			}
			// Not the deadline for a header, which is longer: a client does not wait for that.
			client := http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			answer, err := client.Get(fmt.Sprintf("http://%s/healthz", l.Addr()))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			s.crowd.mu.Lock()
			defer s.crowd.mu.Unlock()
			if n := len(s.crowd.waiting); n > maxConnections {
				t.Errorf("%d connections wait", n)
			}
		})
	}
}
