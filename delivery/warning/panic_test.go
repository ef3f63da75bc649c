package warning

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A transport that panics.
type explosive struct{}

func (explosive) RoundTrip(*http.Request) (*http.Response, error) { panic("boom") }

// A panic on the way of a warning is logged, and costs no place: more than may wait at once can follow.
func TestPanic(t *testing.T) {
	panics := make(chan struct{}, 2*waiting)
	log := slog.New(guard.NewHandler(slog.DiscardHandler, func(slog.Record) { panics <- struct{}{} }))
	s := New(nil, "http://[::1]/", time.Minute, log)
	s.client.Transport = explosive{}
	for range waiting + 1 {
		s.Warn(sample)
		<-panics
	}
	s.Close(t.Context())
}
