package peer

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// packages says which Debian package holds a program.
var packages = map[string]string{
	"postfix": "postfix",
	"dovecot": "dovecot-imapd",
	"swaks":   "swaks",
}

// Need skips the test, or fails it when CI=true, unless all programs are there and, where one
// of them can only run as root, the test does.
func Need(tb testing.TB, programs ...string) {
	tb.Helper()
	var lacking []string
	for _, program := range programs {
		if _, err := look(program); err != nil {
			lacking = append(lacking, program+" (Debian package "+packages[program]+")")
		} else if (program == "postfix" || program == "dovecot") && os.Geteuid() != 0 {
			lacking = append(lacking, "root, to run "+program)
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
func look(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if err != nil {
			path, err = exec.LookPath(dir + program)
		}
	}
	return path, err
}
