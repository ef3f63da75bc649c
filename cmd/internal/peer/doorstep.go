package peer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
// configuration to a file in dir, and runs "doorstep serve" as MailUser, in further groups. It is up when
// AwaitListener says so.
func StartDoorstep(tb testing.TB, dir, configuration string, groups ...uint32) *Process {
	tb.Helper()
	program, config := BuildDoorstep(tb, dir), filepath.Join(dir, "doorstep.toml")
	write(tb, config, configuration)
	cmd := exec.Command(program, "serve", "-c", config)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser, Groups: groups}}
	return Start(tb, cmd)
}

// BuildDoorstep makes a copy of doorstep in dir, built with the race detector where the test has it, and returns its
// path.
func BuildDoorstep(tb testing.TB, dir string) string {
	tb.Helper()
	program := filepath.Join(dir, "doorstep")
	built, err := buildOnce()
	if err != nil {
		tb.Fatal(err)
	}
	copyFile(tb, built, program)
	dependOnSource(tb)
	return program
}

// buildOnce builds doorstep for all tests of a package, as linking it takes longer than most of them, and returns a
// path of it. The file has no other name: it goes with the process.
var buildOnce = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "doorstep-build-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path = filepath.Join(dir, "doorstep")
	if _, err := goTool("build", "-race="+strconv.FormatBool(raceEnabled), "-o", path, doorstep); err != nil {
		return "", err
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	return fmt.Sprintf("/proc/self/fd/%d", fd), err
})

// sources are the directories of all packages in the program.
var sources = sync.OnceValues(func() (string, error) {
	return goTool("list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", doorstep)
})

// doorstep is the program's package.
const doorstep = "github.com/doorstep-mail/doorstep/cmd/doorstep"

// dependOnSource opens the directories of all packages in the program. The go tool notes what
// a test opens within the module, and takes its result from the test cache only as long as that
// is unchanged; that the test builds a program from it, it cannot know.
func dependOnSource(tb testing.TB) {
	tb.Helper()
	dirs, err := sources()
	if err != nil {
		tb.Fatal(err)
	}
	for dir := range strings.FieldsSeq(dirs) {
		f, err := os.Open(dir)
		if err != nil {
			tb.Fatal(err)
		}
		_ = f.Close() // opened for reading
	}
}

// goTool runs the go command and returns its output.
func goTool(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, complaints.String())
	}
	return string(out), nil
}
