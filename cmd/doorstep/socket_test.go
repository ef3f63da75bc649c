package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// nobody is a user who is neither root nor peer.MailUser, and in none of their groups.
const nobody = 65534

// TestSocketMode: a socket has the owner, group and mode that were asked for, and the kernel lets
// in whom they say.
func TestSocketMode(t *testing.T) {
	needRoot(t)
	dir := place(t)
	serveConfig(t, dir, strings.Replace(plainConfig(""), `address = "unix:lmtp"`,
		`address = "unix:lmtp"`+"\n"+`mode = "0660"`+"\n"+`group = "8"`, 1))
	var stat unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "lmtp"), &stat); err != nil {
		t.Fatal(err)
	}
	if stat.Uid != 0 || stat.Gid != peer.MailUser || stat.Mode != unix.S_IFSOCK|0o660 {
		t.Errorf("owner %d:%d, mode %o", stat.Uid, stat.Gid, stat.Mode)
	}
	client := greetingProgram(t)
	if out := runAs(t, client, nobody, peer.MailUser, dir); !strings.HasPrefix(out, "220 ") {
		t.Errorf("one of the group is told %q", out)
	}
	if out := runAs(t, client, nobody, nobody, dir); !strings.Contains(out, "permission denied") {
		t.Errorf("one who is not of the group is told %q", out)
	}
}

// TestDefaultSocketMode: without a word the group of the server may use its socket.
func TestDefaultSocketMode(t *testing.T) {
	dir := place(t)
	serveConfig(t, dir, plainConfig(""))
	if info, err := os.Stat(filepath.Join(dir, "lmtp")); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestPeers: the kernel tells who connects, and only those who are listed are greeted.
func TestPeers(t *testing.T) {
	dir := place(t)
	stranger := 0
	if os.Geteuid() == 0 {
		stranger = nobody
	}
	with := func(peers string) string {
		return strings.Replace(plainConfig(""), `address = "unix:lmtp"`,
			`address = "unix:lmtp"`+"\nmode = \"0666\"\npeers = "+peers, 1)
	}
	s := serveConfig(t, dir, with(fmt.Sprintf(`["%d"]`, stranger)))
	d := dial(t, dir)
	d.want("421 4.7.0 ")
	d.wantEnd()
	s.awaitLog(t, fmt.Sprintf("user %d is not among the peers", os.Geteuid()))
	if os.Geteuid() == 0 {
		if out := runAs(t, greetingProgram(t), nobody, nobody, dir); !strings.HasPrefix(out, "220 ") {
			t.Errorf("a peer is told %q", out)
		}
	}
	s.kill()

	serveConfig(t, dir, with(fmt.Sprintf(`["%d", "%d"]`, stranger, os.Geteuid())))
	session(t, dir).deliver("from a peer", "alice")
	wantStored(t, dir, "alice", "from a peer")
}

// TestConnectionLimit: the limit is one over all listeners, and a place that gets free is given
// to the next.
func TestConnectionLimit(t *testing.T) {
	dir := place(t)
	port := peer.FreePort(t)
	s := serveConfig(t, dir, plainConfig("[limits]\nconnections = 2\n[[listen]]\naddress = \"tcp:127.0.0.1:"+port+"\"\n"))
	overTCP := func() *dialogue { return dialTarget(t, "tcp", "127.0.0.1:"+port) }
	first, second := session(t, dir), overTCP()
	second.want("220 ")
	for _, d := range []*dialogue{dial(t, dir), overTCP()} {
		d.want("421 4.3.2 ")
		d.wantEnd()
		s.awaitLog(t, "too many connections")
	}
	second.say("QUIT", "221 ")
	second.wantEnd()
	// Its place is given back just after the last octet.
	peer.Await(t, patience, "a free place", func() bool {
		d := dial(t, dir)
		line, err := d.replies.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.HasPrefix(line, "220 ")
	})
	first.deliver("from the first", "alice")
}

// greetingProgram is the test binary under the name of greeting, where any user can run it.
func greetingProgram(tb testing.TB) string {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		tb.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(peer.Dir(tb), "greeting")
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		tb.Fatal(err)
	}
	if err := to.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// runAs returns what greeting prints when a user runs it on the socket in dir.
func runAs(tb testing.TB, program string, uid, gid uint32, dir string) string {
	tb.Helper()
	cmd := exec.Command(program, filepath.Join(dir, "lmtp"))
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		tb.Fatal(err)
	}
	return string(out)
}
