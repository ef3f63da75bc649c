package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
	"golang.org/x/sys/unix"
	"golang.org/x/text/transform"
)

func TestMain(m *testing.M) {
	if powercut.ServeLoopback() {
		return
	}
	os.Exit(m.Run())
}

// bin makes a directory of programs, which are scripts of sh; empty ones only end with 0.
func bin(t *testing.T, programs map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, o Options) *Directory {
	t.Helper()
	o.Owner, o.Spool = uint32(os.Geteuid()), t.TempDir()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func runner(t *testing.T, d *Directory) *Runner {
	t.Helper()
	r := &Runner{Directory: d}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func written(t *testing.T, a sieve.Answer) string {
	t.Helper()
	text, err := io.ReadAll(io.NewSectionReader(a.Output, 0, a.Size))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const enough = 1 << 20

// TestRun: what a program reads, and what becomes of what it writes.
func TestRun(t *testing.T) {
	d := open(t, Options{Path: bin(t, map[string]string{
		"cat": "cat", "args": `printf '<%s>' "$@"`, "code": "echo no; echo why >&2; exit 3", "none": "",
		"env": "env | sort", "where": "pwd; umask > /dev/null", "read": `if read line; then echo "$line"; else echo end; fi`,
		"loud": "head -c 100000 /dev/zero >&2",
	})})
	envelope := sieve.Envelope{From: "bob@example.com", To: "alice@example.org", OrigTo: "sales@example.org"}
	for _, tt := range []struct {
		name string
		r    Runner
		j    sieve.Job
		want string
	}{
		{"input", Runner{}, sieve.Job{Program: "cat", Input: strings.NewReader("a\nb\r\nc"), MaxOutput: 9}, "0 a\r\nb\r\nc"},
		{"input with LF", Runner{LF: true}, sieve.Job{Program: "cat", Input: strings.NewReader("a\r\nb\n\r"), MaxOutput: 9},
			"0 a\nb\n\r"},
		{"arguments", Runner{}, sieve.Job{Program: "args", Args: []string{"a b", "$(id)", "", "*", "-x"}, MaxOutput: enough},
			"0 <a b><$(id)><><*><-x>"},
		{"exit code", Runner{}, sieve.Job{Program: "code", MaxOutput: enough}, "3 no\n, saying why\n"},
		{"output of no account", Runner{}, sieve.Job{Program: "code"}, "3 , saying why\n"},
		{"no input", Runner{}, sieve.Job{Program: "read", MaxOutput: enough}, "0 end\n"},
		{"no output", Runner{}, sieve.Job{Program: "none", MaxOutput: enough}, "0 "},
		{"directory", Runner{}, sieve.Job{Program: "where", MaxOutput: enough}, "0 /\n"},
		{"environment", Runner{User: "alice", Home: "/home/alice", Host: "mail.example.org"},
			sieve.Job{Program: "env", Envelope: envelope, MaxOutput: enough},
			"0 HOME=/home/alice\nHOST=mail.example.org\nORIG_RECIPIENT=sales@example.org\n" +
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\nRECIPIENT=alice@example.org\n" +
				"SENDER=bob@example.com\nUSER=alice\n"},
		{"empty environment", Runner{}, sieve.Job{Program: "env", MaxOutput: enough},
			"0 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n"},
		{"much to say", Runner{}, sieve.Job{Program: "loud"}, "0 , saying " + strings.Repeat("\x00", maxSaid)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := runner(t, d)
			r.User, r.Home, r.Host, r.LF = tt.r.User, tt.r.Home, tt.r.Host, tt.r.LF
			a, err := r.Run(t.Context(), tt.j)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(a.Code, " ")
			if a.Output != nil {
				got += written(t, a)
			}
			if a.Said != "" {
				got += ", saying " + a.Said
			}
			got = strings.ReplaceAll(got, "_=/usr/bin/env\n", "") // which bash sets, where it is sh
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestLargeOutput: what is too large for memory can be read as long as the runner is not closed, and nothing of it is
// left on disk.
func TestLargeOutput(t *testing.T) {
	d := open(t, Options{Path: bin(t, map[string]string{"cat": "cat"})})
	r := &Runner{Directory: d, LF: true}
	data := bytes.Repeat([]byte("0123456789abcde\n"), 3*inMemory/16)
	for _, size := range []int{inMemory - 1, inMemory, inMemory + 1, len(data)} {
		a, err := r.Run(t.Context(), sieve.Job{Program: "cat", Input: bytes.NewReader(data[:size]), MaxOutput: int64(size)})
		if err != nil {
			t.Fatal(err)
		}
		if got := written(t, a); got != string(data[:size]) {
			t.Errorf("%d octets came back otherwise: %d", size, len(got))
		}
	}
	if left, err := os.ReadDir(d.options.Spool); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestHostilePrograms: whatever a program does, its turn ends in time, and nothing of its group is left.
func TestHostilePrograms(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "$$") // by which a program says that it has left the group
	d := open(t, Options{Path: bin(t, map[string]string{
		"endless":      "yes",
		"deaf endless": "trap '' PIPE TERM; while :; do echo x; done",
		"endless said": "yes >&2",
		"sleeper":      "sleep 600",
		"deaf":         "trap '' TERM; while :; do sleep 600; done",
		"unread":       "exit 0",
		"unread sleep": "sleep 600",
		"forks":        "echo whole; sleep 600 & exit 0",
		"forks deaf":   "(trap '' TERM HUP; sleep 600) & echo whole",
		"escapes": "mkfifo " + fifo + "; setsid sh -c 'echo > $0; exec sleep 20' " + fifo +
			" & read x < " + fifo + "; exit 0",
		"killed": "kill -9 $$",
		"closes": "exec <&- >&- 2>&-; sleep 600",
	}), AtOnce: 20})
	const short = 300 * time.Millisecond
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		j       sieve.Job
		want    string // of the error, or the exit code and the output
	}{
		{"endless", 0, sieve.Job{MaxOutput: 1 << 16}, "it writes too much: more than 65536 octets"},
		{"deaf endless", 0, sieve.Job{MaxOutput: 1 << 16}, "it writes too much: more than 65536 octets"},
		{"endless", short, sieve.Job{}, "it has not ended in time: 300ms"},
		{"endless said", short, sieve.Job{}, "it has not ended in time: 300ms"},
		{"sleeper", short, sieve.Job{MaxOutput: enough}, "it has not ended in time: 300ms"},
		{"deaf", short, sieve.Job{MaxOutput: enough}, "it has not ended in time: 300ms"},
		{"unread", 0, sieve.Job{Input: zeroes(enough), MaxOutput: enough}, "0 "},
		{"unread sleep", short, sieve.Job{Input: zeroes(enough), MaxOutput: enough}, "it has not ended in time: 300ms"},
		{"forks", 0, sieve.Job{MaxOutput: enough}, "0 whole\n"},
		{"forks deaf", 0, sieve.Job{MaxOutput: enough}, "0 whole\n"},
		{"escapes", 0, sieve.Job{MaxOutput: enough}, "it has ended, and something that it started keeps its output open"},
		{"escapes", 0, sieve.Job{}, "0 "},
		{"killed", 0, sieve.Job{MaxOutput: enough}, "it was ended by a signal: killed"},
		{"closes", short, sieve.Job{Input: zeroes(enough), MaxOutput: enough}, "it has not ended in time: 300ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := runner(t, d)
			r.Timeout = tt.timeout
			tt.j.Program = tt.name
			began := time.Now()
			a, err := r.Run(t.Context(), tt.j)
			got := fmt.Sprint(a.Code, " ")
			if err != nil {
				got = err.Error()
			} else if a.Output != nil {
				got += written(t, a)
			}
			if !strings.HasPrefix(got, tt.want) || tt.want == "0 " && got != tt.want {
				t.Errorf("%.200q, want %q", got, tt.want)
			}
			if took := time.Since(began); took > 30*time.Second { // much longer than on a quiet machine, less than a sleep
				t.Errorf("it took %v", took)
			}
		})
	}
}

func zeroes(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestNothingIsLeft: what a program starts in its group ends with it, and before its turn does.
func TestNothingIsLeft(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, Options{Path: bin(t, map[string]string{
		"ends": "sleep 600 & echo $!", "hangs": "trap '' TERM; sleep 600 & echo $! > " + fifo + "; while :; do wait; done",
	})})
	r := runner(t, d)
	a, err := r.Run(t.Context(), sieve.Job{Program: "ends", MaxOutput: enough})
	if err != nil {
		t.Fatal(err)
	}
	gone(t, written(t, a))
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := r.Run(ctx, sieve.Job{Program: "hangs"})
		ended <- err
	}()
	pid, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("the delivery ends"))
	if err := <-ended; err == nil || err.Error() != "the delivery ends" {
		t.Error(err)
	}
	gone(t, string(pid))
}

// gone waits until a process has ended.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	}()
	for {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || ready == 0 {
			t.Errorf("process %d has not ended: %v", n, err)
		}
		return
	}
}

// TestHalfInput: a program whose input cannot be read to its end never sees an end of it.
func TestHalfInput(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	d := open(t, Options{Path: bin(t, map[string]string{"store": "cat > /dev/null && echo whole > " + marker})})
	half := io.MultiReader(strings.NewReader("Subject: half\n\n"), iotest.ErrReader(errors.New("input/output error")))
	_, err := runner(t, d).Run(t.Context(), sieve.Job{Program: "store", Input: half})
	if err == nil || err.Error() != "read the message: input/output error" {
		t.Error(err)
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Error("the program took half a message for a whole one")
	}
}

// TestPanickingInput: a panic of what reads the message ends the program and not the server.
func TestPanickingInput(t *testing.T) {
	d := open(t, Options{Path: bin(t, map[string]string{"cat": "cat"})})
	_, err := runner(t, d).Run(t.Context(), sieve.Job{Program: "cat", Input: explosive{}})
	if err == nil || err.Error() != "read the message: panic: boom" {
		t.Error(err)
	}
}

type explosive struct{}

func (explosive) Read([]byte) (int, error) { panic("boom") }

// TestTurns: no more programs run at once than may, and one that does not get its turn is an error.
func TestTurns(t *testing.T) {
	d := open(t, Options{Path: bin(t, map[string]string{"cat": "cat"}), AtOnce: 1})
	in, feed := io.Pipe()
	first := make(chan error)
	go func() {
		a, err := (&Runner{Directory: d}).Run(t.Context(), sieve.Job{Program: "cat", Input: in})
		if err == nil && a.Code != 0 {
			err = fmt.Errorf("exit code %d", a.Code)
		}
		first <- err
	}()
	if _, err := feed.Write([]byte("x\n")); err != nil { // it runs
		t.Fatal(err)
	}
	second := runner(t, d)
	second.Timeout = 100 * time.Millisecond
	if _, err := second.Run(t.Context(), sieve.Job{Program: "cat"}); !errors.Is(err, errBusy) {
		t.Errorf("%v, want %v", err, errBusy)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := second.Run(t.Context(), sieve.Job{Program: "cat"}); err != nil {
		t.Error(err)
	}
}

// TestHungFileSystem: a program on a file system that does not answer takes no more time than another one. Its turn
// lasts until it can be ended.
func TestHungFileSystem(t *testing.T) {
	disk := powercut.NewLoopback(t)
	file := filepath.Join(disk.Dir, "true")
	if err := errors.Join(os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755), os.Chmod(file, 0o755)); err != nil {
		t.Fatal(err)
	}
	r := runner(t, open(t, Options{Path: disk.Dir, AtOnce: 1}))
	run := func(timeout time.Duration) error {
		r.Timeout = timeout
		_, err := r.Run(t.Context(), sieve.Job{Program: "true", Input: strings.NewReader("x")})
		return err
	}
	if err := run(time.Minute); err != nil {
		t.Fatal(err)
	}
	disk.Stop(t)
	if err := run(200 * time.Millisecond); !errors.Is(err, errTime) {
		t.Errorf("%v, want %v", err, errTime)
	}
	if err := run(200 * time.Millisecond); !errors.Is(err, errBusy) {
		t.Errorf("%v, want %v", err, errBusy)
	}
	disk.Continue(t)
	if err := run(time.Minute); err != nil {
		t.Error(err)
	}
}

// TestFind: which files are programs that may be run.
func TestFind(t *testing.T) {
	dir := bin(t, map[string]string{
		"good": "", "plain": "", "setuid": "", "setgid": "", "world": "", "group": "", "other": "", "grüße 用户": "",
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	root := os.Geteuid() == 0
	for _, step := range []error{
		os.Chmod(in("plain"), 0o644),
		os.Chmod(in("setuid"), 0o755|os.ModeSetuid), os.Chmod(in("setgid"), 0o755|os.ModeSetgid),
		os.Chmod(in("world"), 0o757), os.Chmod(in("group"), 0o775), os.Mkdir(in("dir"), 0o755),
		os.Symlink("good", in("link")), os.Symlink("/bin/true", in("absolute")), os.Symlink("../../../../bin/true", in("up")),
		os.Symlink("loop", in("loop")), os.Symlink("/proc/self/exe", in("magic")), syscall.Mkfifo(in("fifo"), 0o755),
		os.WriteFile(in("dir/inner"), []byte("#!/bin/sh\n"), 0o755),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if root {
		for _, step := range []error{os.Chown(in("group"), 0, 1000), os.Chown(in("other"), 1000, 0)} {
			if step != nil {
				t.Fatal(step)
			}
		}
	}
	r := runner(t, open(t, Options{Path: dir}))
	for _, tt := range []struct{ name, want string }{
		{"good", ""}, {"link", ""}, {"grüße 用户", ""},
		{"none", "there is no such program"}, {"", "there is no such program"}, {"/bin/true", "there is no such program"},
		{"dir/inner", "there is no such program"}, {"../" + filepath.Base(dir) + "/good", "there is no such program"},
		{".", "is no file"}, {"..", "leads out of the directory (put the program itself there)"}, {"dir", "is no file"},
		{"absolute", "leads out of the directory"}, {"up", "leads out of the directory"}, {"magic", "leads out"},
		{"loop", "too many levels of symbolic links"}, {"fifo", "is no file"},
		{"plain", "plain is not executable (chmod +x " + in("plain") + ")"},
		{"setuid", "would run with the rights of its owner or group"}, {"setgid", "would run with the rights"},
		{"world", "world can be written by every user (chmod o-w " + in("world") + ")"},
		{"group", "group can be written by the group"},
		{"other", "other belongs to user 1000 (chown root " + in("other") + ")"},
	} {
		if tt.name == "other" && !root {
			continue // no file of another user can be made
		}
		_, err := r.Run(t.Context(), sieve.Job{Program: tt.name})
		got := ""
		if err != nil {
			got = err.Error()
		}
		var hinted *sieve.Hinted
		if errors.As(err, &hinted) {
			got += " (" + hinted.Hint + ")"
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%q: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, mode := range []os.FileMode{0o777, 0o757 | os.ModeSticky} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := r.Run(t.Context(), sieve.Job{Program: "good"})
		if err == nil || !strings.Contains(err.Error(), "every user") {
			t.Errorf("a program of a directory of mode %v is run: %v", mode, err)
		}
		if _, err := Open(Options{Path: dir, Owner: uint32(os.Geteuid())}); err == nil {
			t.Errorf("a directory of mode %v is opened", mode)
		}
	}
	if _, err := Open(Options{Path: in("good")}); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file is opened as a directory: %v", err)
	}
}

// TestUnstartable: files that pass for programs, and cannot be run, come with a hint.
func TestUnstartable(t *testing.T) {
	dir := bin(t, map[string]string{"a": "", "b": ""})
	for name, text := range map[string]string{"a": "#!/none\n", "b": "echo x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := runner(t, open(t, Options{Path: dir, AtOnce: 1}))
	for name, want := range map[string]string{"a": "interpreter", "b": "#!"} {
		_, err := r.Run(t.Context(), sieve.Job{Program: name})
		var hinted *sieve.Hinted
		if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, want) {
			t.Errorf("%s: %v, want a hint about %s", name, err, want)
		}
	}
}

// TestAsOwner: programs run as the owner of the mailbox, without the groups of the server.
func TestAsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("/tmp", "doorstep-program-") // that of the test is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Chmod(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "who"), []byte("#!/bin/sh\nid -u; id -g; id -G\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	r := runner(t, open(t, Options{Path: dir}))
	r.Credential = &syscall.Credential{Uid: 20001, Gid: 20002}
	a, err := r.Run(t.Context(), sieve.Job{Program: "who", MaxOutput: enough})
	if err != nil {
		t.Fatal(err)
	}
	if got := written(t, a); got != "20001\n20002\n20002\n" {
		t.Errorf("%q", got)
	}
}

// TestLineEnds: any way in which a text is cut, its lines end alike.
func TestLineEnds(t *testing.T) {
	const text = "a\r\n\r\nb\n\nc\r\r\n\rd\r"
	for lf, want := range map[bool]string{true: "a\n\nb\n\nc\r\n\rd\r", false: "a\r\n\r\nb\r\n\r\nc\r\r\n\rd\r"} {
		for _, from := range []io.Reader{
			strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)),
			iotest.DataErrReader(strings.NewReader(text)),
		} {
			got, err := io.ReadAll(transform.NewReader(from, &lineEnds{lf: lf}))
			if err != nil || string(got) != want {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		}
		long := strings.Repeat("\n", 1+rand.IntN(10000)) // which grows in the buffer
		got, err := io.ReadAll(transform.NewReader(strings.NewReader(long), &lineEnds{lf: lf}))
		if err != nil || strings.Count(string(got), "\n") != len(long) {
			t.Errorf("%d of %d lines, %v", strings.Count(string(got), "\n"), len(long), err)
		}
	}
}
