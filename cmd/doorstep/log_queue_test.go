package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// A stalledWriter waits before each line until it is let go on.
type stalledWriter struct {
	goOn chan error
	out  bytes.Buffer
}

func (w *stalledWriter) Write(p []byte) (int, error) {
	if err := <-w.goOn; err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

// TestLogQueue: who logs waits for a reader that stalls a second, once. The queue is bounded; what is lost
// is counted, and told when there is a reader again; the rest comes in order.
func TestLogQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		var lost, told int
		q := newLogQueue(w, func() { lost++ }, func(lines int) { told += lines })
		var want strings.Builder
		const size = 1 << 10
		began := time.Now()
		for i := range maxQueued/size + 10 {
			line := fmt.Sprintf("%-*d\n", size-1, i)
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
			if i < maxQueued/size {
				want.WriteString(line)
			}
		}
		if waited := time.Since(began); waited != stalledAfter {
			t.Errorf("waited %v", waited)
		}
		if lost != 10 {
			t.Errorf("%d lines are lost, want 10", lost)
		}
		close(w.goOn)
		synctest.Wait()
		if w.out.String() != want.String() {
			t.Error("what was taken is not written, in order")
		}
		if told != 10 {
			t.Errorf("told of %d", told)
		}
		q.end(time.Hour)
	})
}

// TestLogQueueInTime: with a reader in time a line is written when Write returns, and after a stall
// so it is again.
func TestLogQueueInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		q := newLogQueue(w, func() { t.Error("a line is lost") }, func(int) {})
		log := func(line string, waits bool) {
			t.Helper()
			back := make(chan struct{})
			go func() {
				defer close(back)
				_, _ = q.Write([]byte(line))
			}()
			synctest.Wait()
			select {
			case <-back:
				if waits {
					t.Errorf("%q: Write does not wait", line)
				}
			default:
				if !waits {
					t.Errorf("%q: Write waits", line)
				}
			}
		}
		log("a", true)
		w.goOn <- nil
		synctest.Wait()
		log("b", true)
		time.Sleep(stalledAfter) // in the bubble
		log("c", false)
		w.goOn <- nil // b
		synctest.Wait()
		log("d", false) // behind c
		w.goOn <- nil
		w.goOn <- nil
		synctest.Wait()
		log("e", true)
		w.goOn <- nil
		q.end(time.Hour)
		if got := w.out.String(); got != "abcde" {
			t.Errorf("%q", got)
		}
	})
}

// TestLogQueueFails: a line that cannot be written is lost, and nothing else; at the end a reader that stalls is
// not waited for beyond all patience.
func TestLogQueueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		var lost, told int
		q := newLogQueue(w, func() { lost++ }, func(lines int) { told += lines })
		for range 3 {
			_, _ = q.Write([]byte("x\n")) // the first waits for the stall
		}
		w.goOn <- errors.New("no space left on device")
		w.goOn <- nil
		synctest.Wait()
		if lost != 1 || told != 1 {
			t.Errorf("%d lost, told of %d", lost, told)
		}
		began := time.Now()
		q.end(lastLines)
		if waited := time.Since(began); waited != lastLines {
			t.Errorf("waited %v", waited)
		}
		_, _ = q.Write([]byte("y\n"))
		w.goOn <- nil
		synctest.Wait()
		if got := w.out.String(); got != "x\nx\n" || lost != 2 {
			t.Errorf("%q, %d lost", got, lost)
		}
	})
}

// TestLogReaderStalls: the reader of the log's pipe reads no more, and does not close it. Mail is delivered,
// and no line is lost that fits into the queue.
func TestLogReaderStalls(t *testing.T) {
	dir := place(t)
	put("doorstep.toml", plainConfig(""), 0o600)(t, dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("doorstep", "serve", "-c", "doorstep.toml")
	cmd.Dir, cmd.Stderr, cmd.Stdout = dir, w, w
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var said []byte
	for buf := make([]byte, 512); !strings.Contains(string(said), "msg=listening"); {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err, string(said))
		}
		said = append(said, buf[:n]...)
	}
	messages := 2 * size / 200 // a line is longer
	for range messages {
		c := session(t, dir)
		c.say("MAIL FROM:<a@src.example>", "250 2.1.0")
		c.say("RCPT TO:<nobody@example.org>", "550 5.1.1") // a line before the reply
		c.say("RCPT TO:<alice@example.org>", "250 2.1.5")
		c.say("DATA", "354")
		c.say(message("x")+".", "250 2.0.0")
		c.conn.Close()
	}
	if n := len(names(t, filepath.Join(maildir(dir, "alice"), "new"))); n != messages {
		t.Errorf("%d messages are stored, want %d", n, messages)
	}
	rest := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		rest <- b
	}()
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	said = append(said, <-rest...)
	if n := strings.Count(string(said), "msg=delivered") + strings.Count(string(said), "msg=refused"); n != 2*messages || !strings.Contains(string(said), "msg=stopped") {
		t.Errorf("the log has %d of %d lines:\n%s", n, 2*messages, said)
	}
}
