package peer

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// programs are those that Need knows, each with its Debian package.
var programs = map[string]struct {
	pkg  string
	path string // where it is when not in a directory for commands
	root bool   // runs as root only, to change to users of its own
}{
	"postfix":      {pkg: "postfix", root: true},
	"dovecot":      {pkg: "dovecot-imapd", root: true},
	"dovecot-lmtp": {pkg: "dovecot-lmtpd", path: "/usr/lib/dovecot/lmtp", root: true},
	"swaks":        {pkg: "swaks"},
}

// Need skips the test, or fails it when CI=true, unless all programs are there and, where one
// of them can only run as root, the test does.
func Need(tb testing.TB, names ...string) {
	tb.Helper()
	var lacking []string
	for _, name := range names {
		program := programs[name]
		if _, err := look(name); err != nil {
			lacking = append(lacking, name+" (Debian package "+program.pkg+")")
		} else if program.root && os.Geteuid() != 0 {
			lacking = append(lacking, "root, to run "+name)
		}
	}
	if len(lacking) == 0 {
		return
	}
	miss := tb.Skipf
	if os.Getenv("CI") == "true" {
		miss = tb.Fatalf
	}
	miss("needs %s", strings.Join(lacking, ", "))
}

// look finds a program, in the directories of system programs too, which are not in
// everybody's PATH.
func look(name string) (path string, err error) {
	places := []string{name, "/usr/sbin/" + name, "/sbin/" + name, "/usr/local/sbin/" + name}
	if fixed := programs[name].path; fixed != "" {
		places = []string{fixed}
	}
	for _, place := range places {
		if path, err = exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", err
}
