package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
	if n := strings.Count(string(said), "msg=delivered") + strings.Count(string(said), "msg=refused"); n != 2*messages ||
		!strings.Contains(string(said), "msg=stopped") {
		t.Errorf("the log has %d of %d lines:\n%s", n, 2*messages, said)
	}
}
