package peer

import (
	"os/exec"
	"testing"
)

// Promtool runs Prometheus' own tool and returns what it says.
func Promtool(tb testing.TB, args ...string) (said string, err error) {
	tb.Helper()
	Need(tb, "promtool")
	program, err := look("promtool")
	if err != nil {
		tb.Fatal(err)
	}
	out, err := exec.CommandContext(tb.Context(), program, args...).CombinedOutput()
	return string(out), err
}
