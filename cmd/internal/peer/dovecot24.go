package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// StartDovecot24 starts the IMAP server of Dovecot 2.4 over mail of a user, whose uid is also the gid. Settings say
// where accounts and mail are; any password logs in.
//
// It is Debian 13's, in a tree with that release's libraries. It gets a mount namespace of its own, in which the
// directories of this test lie in the tree.
func StartDovecot24(tb testing.TB, uid int, settings ...string) *Dovecot {
	tb.Helper()
	Need(tb, "dovecot-2.4")
	port := FreePort(tb)
	d := &Dovecot{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, dir: Dir(tb)}
	makeDirs(tb, d.dir, "run", "state")
	write(tb, d.path("dovecot.conf"), append([]string{
		"dovecot_config_version = 2.4.0",
		"dovecot_storage_version = 2.4.0",
		"base_dir = " + d.path("run"),
		"state_dir = " + d.path("state"),
		"log_path = " + d.path("log"),
		"listen = 127.0.0.1",
		"ssl = no",
		"auth_allow_cleartext = yes",
		"auth_username_chars =",
		"auth_username_format = %{user | lower}",
		fmt.Sprintf("first_valid_uid = %d", uid),
		fmt.Sprintf("first_valid_gid = %d", uid),
		"protocols = imap",
		listener("imap", port),
		"passdb static {\n fields {\n  nopassword = yes\n }\n}",
		"mail_driver = maildir",
	}, settings...)...)

	program, err := look("dovecot-2.4")
	if err != nil {
		tb.Fatal(err)
	}
	const script = `set -e
mkdir -p "$1$2"
mount --bind "$2" "$1$2"
mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
exec chroot "$1" /usr/sbin/dovecot -F -c "$3"`
	tree := filepath.Join(filepath.Dir(program), "../..")
	cmd := exec.Command("/bin/sh", "-c", script, "sh", tree, os.TempDir(), d.path("dovecot.conf"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	d.Process = Start(tb, cmd)
	showLog(tb, "Dovecot 2.4", d.Log)
	AwaitListener(tb, d.Process, "tcp", d.Addr)
	return d
}
