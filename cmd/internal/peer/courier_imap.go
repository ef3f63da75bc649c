package peer

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// DialCourier begins a session with Courier's IMAP server over a Maildir, as MailUser. The server
// ends with the session.
func DialCourier(tb testing.TB, maildir string) *IMAP {
	tb.Helper()
	Need(tb, "courier-imap", "gam_server")
	dir := Dir(tb)
	makeDirs(tb, dir, "lib")
	installAside(tb, dir, "courier-imap")
	watch := watchFiles(tb, dir)
	ours, theirs := socketPair(tb)

	cmd := exec.Command(filepath.Join(dir, "courier-imap"), ".")
	cmd.Dir = maildir
	// Thus its login program starts it for a user who has given the password: it greets with PREAUTH.
	cmd.Env = []string{
		"AUTHENTICATED=reader", "MAILDIRPATH=.", "HOME=" + maildir, "IMAP_CAPABILITY=IMAP4rev1 CHILDREN",
		"LD_LIBRARY_PATH=" + filepath.Join(dir, "lib"), watch,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	cmd.Stdin, cmd.Stdout = theirs, theirs
	Start(tb, cmd)
	_ = theirs.Close() // the server has a copy
	tb.Cleanup(func() { _ = ours.Close() })

	c := &IMAP{conn: ours, in: bufio.NewReader(ours)}
	if greeting, _, err := c.response(); err != nil || !strings.HasPrefix(greeting, "* PREAUTH") {
		tb.Fatalf("Courier greets with %q, %v", greeting, err)
	}
	return c
}

// watchFiles starts Gamin's daemon, by which Courier watches for changes of a folder and of its locks, and returns the
// variable that names it. Without one Courier waits a second whenever it opens a folder.
func watchFiles(tb testing.TB, dir string) (env string) {
	tb.Helper()
	installAside(tb, dir, "gam_server")
	id := filepath.Base(dir)
	cmd := exec.Command(filepath.Join(dir, "gam_server"), "--notimeout", id)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	cmd.Env = []string{"USER=mail"}
	name := "@/tmp/fam-mail-" + id // it binds the whole array of the address, with zeros to its end
	AwaitListener(tb, Start(tb, cmd), "unix", name+strings.Repeat("\x00", len(unix.RawSockaddrUnix{}.Path)-len(name)))
	return "GAM_CLIENT_ID=" + id
}

// socketPair returns both ends of a connection, the second as a file for a program.
func socketPair(tb testing.TB) (ours net.Conn, theirs *os.File) {
	tb.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	file, theirs := os.NewFile(uintptr(pair[0]), "session"), os.NewFile(uintptr(pair[1]), "server")
	defer file.Close()
	if ours, err = net.FileConn(file); err != nil { // a copy
		tb.Fatal(err)
	}
	return ours, theirs
}
