package kernel

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A thread that keeps the rights of another is never used again, and a panic reaches the
// delivery that it belongs to (S13).
func TestThreadsEnd(t *testing.T) {
	var thread int
	stays := errors.New("stays")
	if err := onThread(func() error { thread = unix.Gettid(); return stays }, nothing,
		func() error { return unix.EPERM }); err != stays {
		t.Error(err)
	}
	for end := time.Now().Add(time.Minute); unix.Tgkill(unix.Getpid(), thread, 0) != unix.ESRCH; runtime.Gosched() {
		if thread == unix.Getpid() {
			break // the first thread cannot end; Go parks it for good
		}
		if time.Now().After(end) {
			t.Fatalf("thread %d lives", thread)
		}
	}
	defer func() {
		if p := recover(); !strings.Contains(fmt.Sprint(p), "boom") {
			t.Errorf("panic is %v", p)
		}
	}()
	_ = onThread(func() error { panic("boom") }, nothing, nothing)
}

func nothing() error { return nil }
