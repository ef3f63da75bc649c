package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
func StartDoorstep(tb testing.TB, dir, configuration string) *Process {
	tb.Helper()
	program, config := BuildDoorstep(tb, dir), filepath.Join(dir, "doorstep.toml")
	write(tb, config, configuration)
	cmd := exec.Command(program, "serve", "-c", config)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	return Start(tb, cmd)
}

// BuildDoorstep builds doorstep in dir, with the race detector where the test has it, and returns its
// path.
func BuildDoorstep(tb testing.TB, dir string) string {
	tb.Helper()
	program := filepath.Join(dir, "doorstep")
	goTool(tb, "build", "-race="+strconv.FormatBool(raceEnabled), "-o", program, doorstep)
	dependOnSource(tb)
	return program
}

// doorstep is the program's package.
const doorstep = "github.com/doorstep-mail/doorstep/cmd/doorstep"

// dependOnSource opens the directories of all packages in the program. The go tool notes what
// a test opens within the module, and takes its result from the test cache only as long as that
// is unchanged; that the test builds a program from it, it cannot know.
func dependOnSource(tb testing.TB) {
	tb.Helper()
	dirs := goTool(tb, "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", doorstep)
	for dir := range strings.FieldsSeq(dirs) {
		f, err := os.Open(dir)
		if err != nil {
			tb.Fatal(err)
		}
		_ = f.Close() // opened for reading
	}
}

// goTool runs the go command and returns its output.
func goTool(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.Command("go", args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, complaints.String())
	}
	return string(out)
}
