package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestClockIsSet: a clock that is set is reported once each time, and one that is slewed is not.
func TestClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(context.Background())
		c := &clockWatch{slog.New(slog.NewTextHandler(&out, nil)),
			func() (time.Duration, error) { return time.Duration(ahead.Load()), nil }}
		go c.run(ctx)
		time.Sleep(clockEvery / 2) // in the bubble: between two looks from here on
		seen := 0
		for _, step := range []struct {
			by   time.Duration
			want string
		}{{0, ""}, {time.Second, ""}, {-time.Hour, "by=-1h0m0s"}, {0, ""}, {48 * time.Hour, "by=48h0m0s"},
			{-clockStep / 2, ""}, {-clockStep / 2, ""}} {
			ahead.Add(int64(step.by))
			time.Sleep(clockEvery)
			synctest.Wait()
			said := out.String()[seen:]
			seen += len(said)
			if step.want == "" && said != "" || step.want != "" &&
				(strings.Count(said, "the clock was set") != 1 || !strings.Contains(said, step.want)) {
				t.Errorf("set by %v: %q, want %q once", step.by, said, step.want)
			}
		}
		cancel()
		synctest.Wait()
	})
}

// TestClockAhead: what is compared does not change while nobody sets the clock.
func TestClockAhead(t *testing.T) {
	a, err := clockAhead()
	if err != nil {
		t.Fatal(err)
	}
	b, err := clockAhead()
	if err != nil || (b-a).Abs() > time.Minute {
		t.Errorf("%v, then %v: %v", a, b, err)
	}
}
