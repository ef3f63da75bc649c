package lmtp

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMinDataRate: while connections are scarce, a client that trickles is ended after the grace; one that keeps the
// rate, or trickles while there are enough, is not.
func TestMinDataRate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		piece  int // octets a second
		scarce func(second int) bool
		ends   time.Duration // 0: not within two minutes
	}{
		{"slow and scarce", 10, func(int) bool { return true }, 31 * time.Second},
		{"fast and scarce", 600, func(int) bool { return true }, 0},
		{"slow with enough", 10, func(int) bool { return false }, 0},
		{"scarce later", 10, func(second int) bool { return second >= 60 }, 66 * time.Second},
	} {
		for _, verb := range []string{"DATA", "BDAT 1000000"} {
			t.Run(tt.name+" "+verb, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &fakeHandler{}
					var log syncBuffer
					var second atomic.Int64
					limits := Limits{
						MinDataRate: 500,
						Scarce:      func() bool { return tt.scarce(int(second.Load())) },
					}
					d := opened(t, &Server{
						Handler: h, Limits: limits, Log: slog.New(slog.NewTextHandler(&log, nil)),
					})
					d.say("MAIL FROM:<>", "RCPT TO:<u1@dst.example>")
					d.expect("250 2.1.0", "250 2.1.5")
					d.send(verb + "\r\n")
					if verb == "DATA" {
						d.expect("354")
					}
					ended := func() bool { return strings.Contains(log.String(), "limit=min_data_rate value=500") }
					begun := time.Now()
					for ; second.Load() < 120 && !ended(); second.Add(1) {
						d.send(strings.Repeat("x", tt.piece))
						time.Sleep(time.Second)
						synctest.Wait()
					}
					took := time.Since(begun)
					if tt.ends == 0 && ended() || tt.ends > 0 && (!ended() || took > tt.ends) {
						t.Errorf("ended %v after %v, want %v\n%s", ended(), took, tt.ends, log.String())
					}
					if ended() {
						d.expect("421 4.4.2")
						d.expectClosed()
						h.check(t)
					}
				})
			})
		}
	}
}
