package reload

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestHangs: while files do not answer what was read before is used: after a second by those who ask first, then at
// once; one goroutine hangs. When they answer, what they say counts at the next question.
func TestHangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "first")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		hangs, lifted, loads := false, make(chan struct{}), new(atomic.Int32)
		v, err := New(slog.New(slog.NewTextHandler(&log, nil)), func() (string, error) {
			if loads.Add(1); hangs {
				<-lifted
			}
			text, err := os.ReadFile(file)
			return string(text), err
		}, file)
		if err != nil {
			t.Fatal(err)
		}
		hangs = true
		write(t, file, "the second")
		for _, wait := range []time.Duration{patience, 0} {
			began := time.Now()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if got := v.Get(); got != "first" {
						t.Errorf("got %q", got)
					}
				})
			}
			if all.Wait(); time.Since(began) != wait || loads.Load() != 2 {
				t.Errorf("waited %v, by %d loads", time.Since(began), loads.Load())
			}
		}
		close(lifted)
		synctest.Wait()
		if got := v.Get(); got != "the second" {
			t.Errorf("afterwards %q", got)
		}
		synctest.Wait()
		for _, want := range []string{"files do not answer", "files answer again"} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("log: %s", log.String())
			}
		}
	})
}

// TestChangeBesideALook: who asks after a change has it, also while an earlier look at the files is under way. A panic
// of load leaves the value as it was.
func TestChangeBesideALook(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "first")
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		looks := 0
		v, err := New(slog.New(slog.DiscardHandler), func() (string, error) {
			text, err := os.ReadFile(file)
			if looks++; looks == 2 {
				<-goOn
			}
			if looks == 4 {
				panic("boom")
			}
			return string(text), err
		}, file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, "the second")
		before, after := make(chan string, 1), make(chan string, 1)
		go func() { before <- v.Get() }()
		synctest.Wait()
		write(t, file, "and the third")
		go func() { after <- v.Get() }()
		synctest.Wait()
		close(goOn)
		if a, b := <-before, <-after; a == "first" || b != "and the third" {
			t.Errorf("got %q and %q", a, b)
		}
		write(t, file, "another")
		if got := v.Get(); got != "and the third" {
			t.Errorf("after a panic %q", got)
		}
		if got := v.Get(); got != "another" {
			t.Errorf("at last %q", got)
		}
	})
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
