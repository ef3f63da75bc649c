package privilege

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// probe builds testdata/probe as the program is built that people run, and runs it.
func probe(t *testing.T, args ...string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give it up")
	}
	program := filepath.Join(t.TempDir(), "probe")
	build := exec.Command("go", "build", "-o", program, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if out, err := exec.Command("chmod", "-R", "a+rX", filepath.Dir(program)).CombinedOutput(); err != nil {
		t.Fatalf("chmod: %v\n%s", err, out)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

const noCapabilities = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n<nil>\n"

// becoming is what a process may become that has given up its rights: nobody, but for a while those whose
// rights it may borrow.
func becoming(borrowed string) string {
	return `setuid 0: refused
setresuid 20001: refused
setgid 0: refused
setgroups 0: refused
setfsuid 0: refused
setfsuid 999: refused
setfsgid 0: refused
setfsgid 99: refused
setfsuid 20001: ` + borrowed + `
setfsgid 20001: ` + borrowed + `
setfsuid back: ok
setfsgid back: ok
`
}

// Who gives up everything can become nobody.
func TestDropAll(t *testing.T) {
	want := becoming("refused")
	if got, _, _ := strings.Cut(probe(t, "8", "8"), "unshare"); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

// Who keeps the right to borrow those of owners can do no more with it: not become root, nor a user
// of the system, nor any user in a namespace of its own, and programs get nothing of it.
func TestDropAllButOwners(t *testing.T) {
	want := becoming("ok") + `unshare user: refused
clone user: refused
clone3: refused
run a program: ok
read /etc/shadow: refused
` + noCapabilities
	if got := probe(t, "8", "8", "1000", "100"); got != want {
		t.Error(cmp.Diff(want, got))
	}
}

// Root is nobody to become.
func TestDropToRoot(t *testing.T) {
	for _, target := range []Target{{UID: 0, GID: 8}, {UID: 8, GID: 0}} {
		if err := Drop(target); err == nil {
			t.Errorf("became %+v", target)
		}
	}
}

// What is left is checked: a status that is not as it should be ends the program.
func TestCheckStatus(t *testing.T) {
	good := `Uid:	8	8	8	8
Gid:	8	8	8	8
Groups:	8 
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
`
	target := Target{UID: 8, GID: 8, Groups: []int{8}}
	if err := target.checkStatus(good); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(good) {
		name, _, _ := strings.Cut(line, ":")
		if err := target.checkStatus(strings.Replace(good, line, name+":\t7\n", 1)); err == nil {
			t.Errorf("%s may be anything", name)
		}
	}
}
