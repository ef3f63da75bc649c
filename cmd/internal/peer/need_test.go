package peer

import (
	"fmt"
	"testing"
)

// A recorder is a test that only notes how it ended.
type recorder struct {
	testing.TB
	end string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.end = "skip: " + fmt.Sprintf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.end = "fail: " + fmt.Sprintf(format, args...)
}

func TestNeed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for ci, want := range map[string]string{
		"":     "skip: needs swaks (Debian package swaks)",
		"true": "fail: needs swaks (Debian package swaks)",
	} {
		t.Setenv("CI", ci)
		r := &recorder{TB: t}
		if Need(r, "swaks"); r.end != want {
			t.Errorf("CI=%q: %q, want %q", ci, r.end, want)
		}
	}
}
