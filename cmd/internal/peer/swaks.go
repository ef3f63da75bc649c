package peer

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// Swaks runs swaks, the SMTP transaction tester, and returns its transcript. The error is that
// of its exit status: 0 only when the server took the message for every recipient.
func Swaks(tb testing.TB, args ...string) (transcript string, err error) {
	tb.Helper()
	Need(tb, "swaks")
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "swaks", args...).CombinedOutput()
	return string(out), err
}
