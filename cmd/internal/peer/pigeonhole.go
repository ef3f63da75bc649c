package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// A Pigeonhole runs Dovecot's tools for Sieve scripts. It has no state but its files: many may run at a time.
type Pigeonhole struct {
	tb         testing.TB
	dir        string
	extensions string
	count      atomic.Int64
}

// NewPigeonhole prepares the tools for scripts that may require some extensions besides those that are on by default,
// and for an account that has folders.
func NewPigeonhole(tb testing.TB, extensions []string, folders ...string) *Pigeonhole {
	tb.Helper()
	Need(tb, "sieve-test", "sievec")
	p := &Pigeonhole{tb: tb, dir: Dir(tb), extensions: "+" + strings.Join(extensions, " +")}
	for _, folder := range append([]string{"mail"}, folders...) {
		if folder != "mail" {
			folder = "mail/." + folder
		}
		makeDirs(tb, p.dir, folder)
		makeDirs(tb, p.path(folder), "cur", "new", "tmp")
		for _, dir := range []string{folder, folder + "/cur", folder + "/new", folder + "/tmp"} {
			if err := os.Chown(p.path(dir), p.user(), -1); err != nil { // a folder is there if it takes mail
				tb.Fatal(err)
			}
		}
	}
	return p
}

func (p *Pigeonhole) path(name string) string { return filepath.Join(p.dir, name) }

// Run returns what sieve-test prints of a script and a message, and of its errors. It fails where it refuses the
// script, and where that has an error while it runs.
func (p *Pigeonhole) Run(script, message, from, to string) (actions, problems string, ok bool) {
	return p.run("sieve-test", script, "-f", from, "-r", to, p.file(message, "eml"))
}

// Compile returns what sievec prints of the errors of a script. It fails where it refuses the script.
func (p *Pigeonhole) Compile(script string) (problems string, ok bool) {
	_, problems, ok = p.run("sievec", script, p.path("compiled-"+fmt.Sprint(p.count.Add(1))))
	return problems, ok
}

// run runs a tool for a script. The arguments that follow the script come last in args.
func (p *Pigeonhole) run(tool, script string, args ...string) (stdout, stderr string, ok bool) {
	program, err := look(tool)
	if err != nil {
		p.tb.Error(err)
		return "", "", false
	}
	last := len(args) - 1
	args = append(append(p.settings(), args[:last]...), p.file(script, "sieve"), args[last])
	cmd := exec.Command(program, args...)
	cmd.Dir = p.dir
	// Without these it would ask for the name of the machine, and for the user.
	cmd.Env = []string{"HOME=" + p.dir, "USER=peer", "TZ=UTC", "DOVECOT_HOSTNAME=mx", "DOVECOT_HOSTDOMAIN=mx.example.org"}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.tb.Errorf("run %s: %v", tool, err)
	}
	return out.String(), problems.String(), err == nil
}

// unprivileged is the user whom the tools become if root starts them: they read no mail as root. All may read the files
// of the test, and compiled scripts are not kept.
const unprivileged = 65534

func (p *Pigeonhole) user() int {
	if user := os.Getuid(); user != 0 {
		return user
	}
	return unprivileged
}

// settings have it run without a configuration.
func (p *Pigeonhole) settings() []string {
	list := []string{"-O", "-x", p.extensions}
	for _, setting := range []string{
		fmt.Sprint("mail_uid=", p.user()), "mail_gid=" + fmt.Sprint(unprivileged), "first_valid_uid=1", "first_valid_gid=1",
		"mail_location=maildir:" + p.path("mail"), "plugin/sieve_vacation_min_period=1s",
	} {
		list = append(list, "-o", setting)
	}
	return list
}

// file writes a file that is read by one call.
func (p *Pigeonhole) file(content, extension string) string {
	name := p.path(fmt.Sprintf("%d.%s", p.count.Add(1), extension))
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		p.tb.Error(err)
	}
	return name
}
