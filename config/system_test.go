package config_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config"
)

const accounts = `
[[domain]]
name = "example.org"

[[user]]
address = "postmaster@example.org"
`

func TestCheckSystem(t *testing.T) {
	path := write(t, map[string]string{
		"mail/x": "",
		"file":   "",
		"doorstep.toml": `hostname = "mail.example.org"

[[listen]]
address = "unix:missing/l.sock"
owner = "nobody-of-this-name"
group = "nogroup-of-this-name"

[[listen]]
address = "unix:file"
peers = ["root", "nobody-of-this-name", "4294967295"]

[[listen]]
address = "unix:file/l.sock"
owner = "0"

[store]
path = "mailboxes/{local}"

[state]
path = "remembered/state.db"

[submission]
server = "unix:mta"
outbox = "lost/box"
user = "doorstep"
password_file = "secret"
` + accounts,
	})
	directory := filepath.Dir(path)
	c := load(t, path)
	want := ""
	for _, line := range []string{
		`4:11: listen[0].address: directory "DIR/missing" does not exist (mkdir -p DIR/missing)`,
		`5:9: listen[0].owner: no user "nobody-of-this-name" on this machine ` +
			`(getent passwd lists them; a number will do too)`,
		`6:9: listen[0].group: no group "nogroup-of-this-name" on this machine ` +
			`(getent group lists them; a number will do too)`,
		`9:11: listen[1].address: "DIR/file" is there and is not a socket (choose another path, or move it away)`,
		`10:18: listen[1].peers[1]: no user "nobody-of-this-name" on this machine ` +
			`(getent passwd lists them; a number will do too)`,
		`10:41: listen[1].peers[2]: "4294967295" is not a user or group number`,
		`13:11: listen[2].address: "DIR/file" is not a directory`,
		`17:8: store.path: directory "DIR/mailboxes" does not exist (mkdir -p DIR/mailboxes)`,
		`20:8: state.path: warning: directory "DIR/remembered" does not exist: nothing is remembered of aliases ` +
			`(mkdir -p DIR/remembered, or write driver = "none")`,
		`24:10: submission.outbox: warning: directory "DIR/lost" does not exist: DSN is not offered (mkdir -p DIR/lost)`,
		`26:17: submission.password_file: open DIR/secret: no such file or directory (make it, or write where it is)`,
	} {
		want += "doorstep.toml:" + strings.ReplaceAll(line, "DIR", directory) + "\n"
	}
	got := ""
	for _, p := range c.CheckSystem() {
		p.File = filepath.Base(p.File)
		got += p.String() + "\n"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCheckSystemIsContent(t *testing.T) {
	path := write(t, map[string]string{
		"mail/x": "",
		"doorstep.toml": `hostname = "mail.example.org"
[[listen]]
address = "unix:l.sock"
owner = "root"
group = "root"
peers = ["root", "0"]

[store]
path = "mail/{local}"
` + accounts,
	})
	c := load(t, path)
	// The socket of an earlier start is no obstacle.
	l, err := net.Listen("unix", c.Listen[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if problems := c.CheckSystem(); len(problems) != 0 {
		t.Errorf("problems: %v", problems)
	}
}

// TestCheckSystemSpool: large messages need a directory that the environment names.
func TestCheckSystemSpool(t *testing.T) {
	c := load(t, write(t, map[string]string{"mail/x": "", "doorstep.toml": `hostname = "mail.example.org"

[[listen]]
address = "unix:l.sock"

[store]
path = "mail/{local}"
` + accounts}))
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", missing)
	var got []string
	for _, p := range c.CheckSystem() {
		if strings.Contains(p.String(), missing) && p.Warning {
			got = append(got, p.String())
		}
	}
	if len(got) != 1 || !strings.Contains(got[0], "set TMPDIR") {
		t.Errorf("%q", got)
	}
}

func TestCheckSystemStoreNotWritable(t *testing.T) {
	path := write(t, map[string]string{
		"mail/x": "",
		"doorstep.toml": "hostname = \"mail.example.org\"\n[[listen]]\naddress = \"tcp:127.0.0.1:24\"\n" +
			"[store]\npath = \"mail/{local}\"\n" + accounts,
	})
	c := load(t, path)
	if err := os.Chmod(c.Store.Root(), 0o555); err != nil {
		t.Fatal(err)
	}
	withoutCapabilities(t, func() {
		if problems := c.CheckSystem(); len(problems) != 1 || problems[0].Key != "store.path" || problems[0].Line != 5 {
			t.Errorf("problems: %v", problems)
		}
	})
}

// withoutCapabilities runs f on a thread that may not write everywhere, though it be root's.
func withoutCapabilities(t *testing.T, f func()) {
	t.Helper()
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		f()
	})
	done.Wait()
}

func TestRoot(t *testing.T) {
	for template, want := range map[string]string{
		"/srv/mail/{domain}/{local}": "/srv/mail",
		"/srv/mail/u-{local}":        "/srv/mail",
		"/{local}":                   "/",
		"{home}/Maildir":             "",
	} {
		if got := (config.Store{Path: template}).Root(); got != want {
			t.Errorf("root of %s is %q, want %q", template, got, want)
		}
	}
}
