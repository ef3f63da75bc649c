package lmtp

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// Every limit that a client meets is a line in the log, and one line.
func TestLimitsAreLogged(t *testing.T) {
	never := func(context.Context, *fakeTx) <-chan error { return make(chan error, 1) }
	say := func(lines ...string) []string {
		return append([]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>"}, lines...)
	}
	small := func() *Server { return &Server{Limits: Limits{MessageSize: 10}} }
	for name, tt := range map[string]struct {
		server *Server
		say    []string
		wait   time.Duration
		limit  string
	}{
		"transactions": {&Server{Limits: Limits{Transactions: 1}}, []string{"MAIL FROM:<>", "RSET", "MAIL FROM:<>"}, 0,
			"transactions"},
		"message_size":       {small(), say("DATA", "0123456789", "0123456789", "."), 0, "message_size"},
		"message_size, BDAT": {small(), say("BDAT 20", "012345678901234567"), 0, "message_size"},
		"idle_timeout":       {&Server{}, nil, 6 * time.Minute, "idle_timeout"},
		"data_timeout":       {&Server{}, say("DATA", "x"), 6 * time.Minute, "data_timeout"},
		"transaction_timeout": {&Server{Handler: &fakeHandler{onCommit: never}}, say("DATA", "."), 9 * time.Minute,
			"transaction_timeout"},
		"errors": {&Server{}, strings.Split(strings.Repeat("x,", maxFailures)+"x", ","), 0, "errors"},
		"line":   {&Server{}, []string{strings.Repeat("x", wire.MaxSkipped+2*wire.MaxLine)}, 0, "line"},
		"empty chunks": {&Server{}, say(strings.Split(strings.Repeat("BDAT 0,", maxEmptyChunks)+"BDAT 0", ",")...), 0,
			"empty_chunks"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log syncBuffer
				s := tt.server
				s.Log = slog.New(slog.NewTextHandler(&log, nil))
				if s.Handler == nil {
					s.Handler = nullHandler{}
				}
				d := opened(t, s)
				go io.Copy(io.Discard, d.nc)
				d.say(tt.say...)
				time.Sleep(tt.wait)
				synctest.Wait()
				if n := strings.Count(log.String(), "limit="+tt.limit+" "); n != 1 {
					t.Errorf("%d lines of limit=%s in\n%s", n, tt.limit, log.String())
				}
				d.hangUp()
			})
		})
	}
}
