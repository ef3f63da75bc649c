package dist

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// patience is how long a machine may take for anything that it is asked to do.
const patience = 2 * time.Minute

// A machine runs systemd as its first process. It is this one, or the tree that $DOORSTEP_MACHINE names,
// in namespaces of its own and with all changes in memory.
type machine struct {
	pid   string // of its systemd, as this machine numbers it
	media string // the directory that it has as /media
}

// boot starts a machine and waits until its systemd says that it is up.
func boot(t *testing.T) *machine {
	t.Helper()
	peer.Need(t, "systemd", "overlay")
	base := os.Getenv("DOORSTEP_MACHINE")
	if base == "" {
		base = "/"
	}
	dir := peer.Dir(t)
	m := &machine{media: filepath.Join(dir, "media")}
	place := filepath.Join(dir, "machine")
	for _, d := range []string{m.media, place} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.media, "up"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notes.Close() })

	cgroup := filepath.Base(dir)
	t.Cleanup(func() { removeCgroups(t, place, cgroup) })
	cmd := exec.Command("sh", "testdata/boot", base, place, cgroup, m.media)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWNET,
		Pdeathsig: syscall.SIGKILL, // SIGTERM makes systemd start anew
	}
	p := peer.Start(t, cmd)
	t.Cleanup(func() { _ = p.Signal(syscall.SIGKILL) }) // it may have ended
	m.pid = strconv.Itoa(p.Pid())
	go func() {
		<-p.Exited()
		notes.Close() // what does not come up says nothing more
	}()
	if err := notes.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); ; {
		n, err := notes.Read(buf)
		if err != nil {
			t.Fatalf("the machine does not come up: %v", err)
		}
		if strings.Contains(string(buf[:n]), "READY=1") {
			break
		}
	}
	notes.Close() // systemd goes on sending, and hangs as soon as a socket is full that is not read
	t.Cleanup(func() {
		if t.Failed() {
			said, err := m.try("sh", "-c", "journalctl --no-pager | grep -v msg=delivered | tail -n 100")
			t.Logf("the machine's journal (%v):\n%s", err, said)
		}
	})
	return m
}

// removeCgroups removes what systemd made in the cgroup of a machine that has ended.
func removeCgroups(t *testing.T, place, cgroup string) {
	cmd := exec.Command("sh", "-euc", `mount -t cgroup2 cgroup2 "$1"; find "$1/$2" -depth -type d -exec rmdir {} +`, "sh",
		place, cgroup)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("remove cgroups: %v\n%s", err, out)
	}
}

// try runs a command on the machine, as its root, and returns all that it said.
func (m *machine) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"-t", m.pid, "-m", "-p", "-u", "-i", "-n", "-C", "--",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"}, args...)...)
	cmd.Dir = "/"
	cmd.WaitDelay = patience // for what it has started, which may have its output and hang too
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a command that must succeed.
func (m *machine) run(t *testing.T, args ...string) string {
	t.Helper()
	said, err := m.try(args...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, said)
	}
	return said
}

// fail runs a command that must not succeed.
func (m *machine) fail(t *testing.T, args ...string) string {
	t.Helper()
	said, err := m.try(args...)
	if err == nil {
		t.Fatalf("%q succeeds\n%s", args, said)
	}
	return said
}

// property is one of a unit (systemctl show).
func (m *machine) property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(m.run(t, "systemctl", "show", "--value", "-p", name, unit))
}

// properties wants some of a unit to be so: pairs of name and value.
func (m *machine) properties(t *testing.T, unit string, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		if got := m.property(t, unit, want[i]); got != want[i+1] {
			t.Errorf("%s of %s is %q, want %q", want[i], unit, got, want[i+1])
		}
	}
}

// journal is what the service said.
func (m *machine) journal(t *testing.T, args ...string) string {
	t.Helper()
	return m.run(t, append([]string{"journalctl", "--no-pager", "--sync", "-q"}, args...)...) +
		m.run(t, append([]string{"journalctl", "--no-pager", "-q", "-o", "cat", "-u", "doorstep.service"}, args...)...)
}

// write writes a file on the machine.
func (m *machine) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.media, "file"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m.run(t, "install", "-D", "-m", "644", "/media/file", path)
}

// path is how this machine calls a path of the other.
func (m *machine) path(path string) string { return "/proc/" + m.pid + "/root" + path }
