package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// MailUser is Debian's user and group "mail": the tests let Doorstep and Dovecot run as it, as
// one who is not root but exists everywhere.
const MailUser = 8

// MailDir makes a directory, as Dir does, that MailUser may write to.
func MailDir(tb testing.TB) string {
	tb.Helper()
	dir := Dir(tb)
	if err := os.Chown(dir, MailUser, MailUser); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// StartDoorstep builds doorstep, with the race detector where the test has it, writes its
// configuration to a file in dir, and runs "doorstep serve" as MailUser. It is up when
// AwaitListener says so.
//
// The go tool does not see that a test depends on what is built here. Such tests belong into the
// program's own package, or they are taken from the test cache when only the program changed.
func StartDoorstep(tb testing.TB, dir, configuration string) *Process {
	tb.Helper()
	program, config := filepath.Join(dir, "doorstep"), filepath.Join(dir, "doorstep.toml")
	build := exec.Command("go", "build", "-race="+strconv.FormatBool(raceEnabled), "-o", program,
		"github.com/doorstep-mail/doorstep/cmd/doorstep")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build doorstep: %v\n%s", err, out)
	}
	write(tb, config, configuration)
	cmd := exec.Command(program, "serve", "-c", config)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	return Start(tb, cmd)
}
