package powercut

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// loopback, in the environment, is the directory that a process is to present at loopbackAt.
const (
	loopback   = "DOORSTEP_LOOPBACK"
	loopbackAt = "DOORSTEP_LOOPBACK_AT"
)

// A Loopback is a file system of a process that can be stopped: then every system call on it hangs.
type Loopback struct {
	Dir    string // where it is mounted
	server *exec.Cmd
}

// NewLoopback mounts one until the test ends. The TestMain of its package calls ServeLoopback.
func NewLoopback(tb testing.TB) *Loopback {
	tb.Helper()
	if os.Getenv(loopback) != "" { // else this would begin anew in each of the processes that it starts
		tb.Fatal("the package's TestMain has to begin with powercut.ServeLoopback")
	}
	base, err := os.MkdirTemp("", "loopback-")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Loopback{Dir: filepath.Join(base, "mnt")}
	backing := filepath.Join(base, "backing")
	for _, dir := range []string{base, l.Dir, backing} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	l.server = exec.Command(os.Args[0])
	l.server.Env = append(os.Environ(), loopback+"="+backing, loopbackAt+"="+l.Dir)
	l.server.Stderr = os.Stderr
	l.server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := l.server.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := l.server.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := l.server.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		l.Continue(tb)
		if err := unmount(l.Dir); err != nil {
			tb.Error(err)
		}
		input.Close()
		if err := l.server.Wait(); err != nil {
			tb.Errorf("loopback: %v", err)
		}
		if err := os.RemoveAll(base); err != nil {
			tb.Error(err)
		}
	})
	if said, err := bufio.NewReader(output).ReadString('\n'); said != "mounted\n" {
		tb.Fatalf("loopback: %q, %v", said, err)
	}
	return l
}

// Stop has every call hang that needs an answer of the file system.
func (l *Loopback) Stop(tb testing.TB) {
	l.signal(tb, syscall.SIGSTOP)
	for { // until all of its threads have stopped
		err := unix.Waitid(unix.P_PID, l.server.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				tb.Error(err)
			}
			return
		}
	}
}

// Continue has the file system answer again, those calls too that have hung.
func (l *Loopback) Continue(tb testing.TB) { l.signal(tb, syscall.SIGCONT) }

func (l *Loopback) signal(tb testing.TB, s syscall.Signal) {
	if err := l.server.Process.Signal(s); err != nil {
		tb.Error(err)
	}
}

// ServeLoopback reports whether this process is to serve a Loopback, and returns when it has: when its standard input
// ends, be it because the test has died.
func ServeLoopback() bool {
	dir, ok := os.LookupEnv(loopback)
	if !ok {
		return false
	}
	root, err := fs.NewLoopbackRoot(dir)
	if err == nil {
		_, err = fs.Mount(os.Getenv(loopbackAt), root, &fs.Options{MountOptions: fuse.MountOptions{
			DirectMountStrict: true, AllowOther: true, FsName: "loopback",
		}})
	}
	if err != nil {
		fmt.Println(err)
		return true
	}
	fmt.Println("mounted")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return true
}
