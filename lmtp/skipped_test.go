package lmtp

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A chunk that is read for nobody must come within a time that is set once, in every state: an octet a
// minute would keep a session for ever, before it has said who it is.
func TestSkippedChunkHasADeadline(t *testing.T) {
	for _, p := range []Protocol{LMTP, ESMTP} {
		for state, patience := range map[string]time.Duration{
			"greeted": 5 * time.Minute, "ready": 5 * time.Minute, "mail": time.Hour, "failed": time.Hour,
		} {
			t.Run(fmt.Sprintf("%s/%s", p, state), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log syncBuffer
					d := talk(t, &Server{Handler: &fakeHandler{}, Protocol: p, Log: slog.New(slog.NewTextHandler(&log, nil))})
					d.expect("220")
					for _, step := range way(p, state) {
						d.send(step[0])
						d.expect(step[1])
					}
					begun := time.Now()
					d.send("BDAT 5000 LAST\r\n")
					sent := make(chan struct{})
					go func() {
						defer close(sent)
						for err := error(nil); err == nil; _, err = io.WriteString(d.nc, "x") { // until it is closed
							time.Sleep(time.Minute)
						}
					}()
					d.expect("421 4.4.2")
					took(t, begun, patience)
					d.expectClosed()
					d.hangUp()
					<-sent
					limit := "data_timeout"
					if patience == time.Hour {
						limit = "transfer_timeout"
					}
					if !strings.Contains(log.String(), "limit="+limit) {
						t.Errorf("no %s in the log:\n%s", limit, log.String())
					}
				})
			})
		}
	}
}

// What a client sends for nobody is bounded: beyond one message outside of a transaction the session ends
// before its octets are read.
func TestSkippedChunksAreBounded(t *testing.T) {
	for _, p := range []Protocol{LMTP, ESMTP} {
		for _, state := range []string{"greeted", "ready"} {
			t.Run(fmt.Sprintf("%s/%s", p, state), func(t *testing.T) {
				d := talk(t, &Server{Handler: &fakeHandler{}, Protocol: p, Limits: Limits{MessageSize: 100_000}})
				d.expect("220")
				for _, step := range way(p, state) {
					d.send(step[0])
					d.expect(step[1])
				}
				d.send("BDAT 60000\r\n" + strings.Repeat("x", 60_000))
				d.expect("503 5.5.1")
				d.send("BDAT 40000\r\n" + strings.Repeat("x", 40_000))
				d.expect("503 5.5.1")
				d.send("BDAT 1\r\n")
				d.expect("421 4.3.1")
				d.expectClosed()
			})
		}
	}
	t.Run("failed", func(t *testing.T) {
		d := talk(t, &Server{Handler: &fakeHandler{}, Limits: Limits{MessageSize: 100_000}})
		d.expect("220")
		for _, step := range way(LMTP, "failed") {
			d.send(step[0])
			d.expect(step[1])
		}
		d.send("BDAT 1000000\r\n" + strings.Repeat("x", 1_000_000))
		d.expect("503 5.5.1")
		d.send("BDAT 1 LAST\r\n")
		d.expect("421 4.3.1")
		d.expectClosed()
	})
	t.Run("a message between", func(t *testing.T) {
		d := opened(t, &Server{Handler: &fakeHandler{}, Limits: Limits{MessageSize: 100_000}})
		for range 3 {
			d.send("BDAT 90000\r\n" + strings.Repeat("x", 90_000))
			d.expect("503 5.5.1")
			d.send("MAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nBDAT 3 LAST\r\nx\r\n")
			d.expect("250 2.1.0", "250 2.1.5", "250 2.0.0")
		}
		d.quit()
	})
}

// A session that brings no message ends, whatever it goes on saying that is answered well, or not at all.
func TestSessionsWithoutAMessageEnd(t *testing.T) {
	for name, said := range map[string]string{
		"hello":             "HELLO c.example\r\n",
		"hello after MAIL":  "MAIL FROM:<>\r\nHELLO c.example\r\n",
		"NOOP":              "NOOP\r\n",
		"MAIL and RSET":     "MAIL FROM:<>\r\nRSET\r\n",
		"RCPT and hello":    "MAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nHELLO c.example\r\n",
		"HELP":              "HELP\r\n",
		"VRFY":              "VRFY u1\r\n",
		"chunks for nobody": "MAIL FROM:<>\r\nBDAT 0 LAST\r\n",
		"bad hello":         "HELLO\r\n",
		"refused MAIL":      "MAIL FROM:x\r\n",
	} {
		for _, p := range []Protocol{LMTP, ESMTP} {
			t.Run(fmt.Sprintf("%s/%s", p, name), func(t *testing.T) {
				hello := helloOf(p)
				wire := hello + " c.example\r\n" + strings.Repeat(strings.ReplaceAll(said, "HELLO", hello), 1000)
				replies, h := played(t, p, []byte(wire), nil)
				h.check(t)
				if !strings.HasSuffix(replies, "421 4.7.0 too many errors\r\n") {
					t.Errorf("the session ends with %q", replies[max(0, len(replies)-100):])
				}
			})
		}
	}
}
