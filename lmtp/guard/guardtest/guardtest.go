// Package guardtest makes a recovered panic fail the test in which it happens. Without it a session
// whose panic was recovered looks from outside like one that the server has ended.
package guardtest

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Log returns a log that drops its lines, in which a panic is an error of the test.
func Log(t testing.TB) *slog.Logger { return Watch(t, slog.New(slog.DiscardHandler)) }

// Watch returns log, with every panic in it an error of the test. A nil log is as for Log. One by Watch
// or Expect stays as it is.
func Watch(t testing.TB, log *slog.Logger) *slog.Logger {
	if log == nil {
		return Log(t)
	}
	switch log.Handler().(type) {
	case expecting, watching:
		return log
	}
	return slog.New(watching{guard.NewHandler(log.Handler(), func(r slog.Record) { t.Error(text(r)) })})
}

type watching struct{ slog.Handler }

// Expect returns log, marked as one of a test that is about panics.
func Expect(log *slog.Logger) *slog.Logger { return slog.New(expecting{log.Handler()}) }

type expecting struct{ slog.Handler }

// WithAttrs keeps the mark, and so does WithGroup.
func (e expecting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return expecting{e.Handler.WithAttrs(attrs)}
}

// WithGroup is that of slog.Handler.
func (e expecting) WithGroup(name string) slog.Handler { return expecting{e.Handler.WithGroup(name)} }

func text(r slog.Record) string {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, "\n%s: %s", a.Key, a.Value)
		return true
	})
	return b.String()
}
