package check_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/check"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// configuration has fourteen lines.
const configuration = `hostname = "mail.example.org"
[[listen]]
address = "unix:lmtp"
[control]
socket = "control"
[store]
path = "{home}/Maildir"
[[domain]]
name = "example.org"
[[user]]
address = "alice@example.org"
home = "homes/alice"
aliases = ["postmaster@example.org"]
[quota]
`

// write writes files below a new directory, and returns that.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := peer.Dir(t)
	if err := os.MkdirAll(filepath.Join(dir, "homes/alice"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run checks the configuration of a directory: every problem is a line, and so is every answer.
func run(t *testing.T, dir string) string {
	t.Helper()
	r, err := check.Run(t.Context(), check.Options{Path: filepath.Join(dir, "doorstep.toml"), Connect: true})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range r.Problems {
		b.WriteString(p.String() + "\n")
	}
	for _, a := range r.Answers {
		b.WriteString(a.Name + ": " + a.Text + "\n")
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}

// TestConnect: what is asked says what it has, or what is wrong at which key.
func TestConnect(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	posted := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posted++
		}
		http.NotFound(w, r)
	}))
	defer web.Close()
	_, port, _ := strings.Cut(silent.Addr().String(), ":")
	tests := []struct {
		name, more string
		files      map[string]string
		want       []string
	}{
		{"a passwd-file", "[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n",
			map[string]string{"users": "carol@example.org:::::DIR/homes/carol\nbob@example.org:::::DIR/homes/bob\n"},
			[]string{"directory passwd-file: 2 accounts in 1 domain\n"}},
		{"homes that are missing", "[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n",
			map[string]string{"users": "carol@example.org:::::DIR/homes/carol\nbob@example.org:::::DIR/lost/homes/bob\n" +
				"dora@example.org:::::\n"},
			[]string{"doorstep.toml:15:3: directory[0]: warning: dora@example.org: ",
				"doorstep.toml:15:3: directory[0]: warning: bob@example.org: ", "3 accounts in 1 domain\n"}},
		{"nobody with a home", "[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n",
			map[string]string{"users": "bob@example.org:::::DIR/lost/homes/bob\n"},
			[]string{"directory[0]: none of its accounts takes mail"}},
		{"a home of the configuration", "[[user]]\naddress = \"bob@example.org\"\nhome = \"lost/homes/bob\"\n", nil,
			[]string{"doorstep.toml:17:8: user[1].home: warning: bob@example.org: ", "users: 2 accounts in 1 domain"}},
		{"lines that are no accounts", "[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n",
			map[string]string{"users": "carol@example.org:::::DIR/homes/carol\nbob:::::\n"},
			[]string{`directory[0]: warning: DIR/users:2: user "bob" has no domain`, "1 account in 1 domain\n"}},
		{"half a passwd-file", "[[directory]]\ndriver = \"passwd-file\"\nfile = \"users\"\n",
			map[string]string{"users": "bob@example.org:::"},
			[]string{"doorstep.toml:17:8: directory[0].file: DIR/users is not whole"}},
		{"no database of ours", "[[directory]]\ndriver = \"sqlite\"\nfile = \"users\"\n",
			map[string]string{"users": ""}, []string{"doorstep.toml:17:8: directory[0].file: ", "no database of Doorstep's"}},
		{"no SQLite at all", "[[directory]]\ndriver = \"sqlite\"\nfile = \"users\"\nschema = \"postfixadmin\"\n",
			map[string]string{"users": strings.Repeat("not a database\n", 100)},
			[]string{"doorstep.toml:17:8: directory[0].file: ", "not a database"}},
		{"tables that are missing", "[[directory]]\ndriver = \"sqlite\"\nfile = \"users\"\nschema = \"postfixadmin\"\n",
			map[string]string{"users": ""},
			[]string{"doorstep.toml:18:10: directory[0].schema: ask for the account: ", "no such table"}},
		{"a canary that is missing", "[[directory]]\ndriver = \"system\"\ndomains = [\"example.org\"]\nfile = \"passwd\"\n" +
			"canary = \"tweety\"\n", map[string]string{"passwd": "alice:x:1000:1000::DIR/homes/alice:/bin/sh\n"},
			[]string{"doorstep.toml:19:10: directory[0].canary: ", "tweety"}},
		{"accounts of the system", "[[directory]]\ndriver = \"system\"\ndomains = [\"example.org\"]\nfile = \"passwd\"\n",
			map[string]string{"passwd": "alice:x:1000:1000::DIR/homes/alice:/bin/sh\n"},
			[]string{"directory system: answers; its accounts cannot be counted\n"}},
		{"a server that says nothing", "[[directory]]\ndriver = \"postgres\"\nhost = \"127.0.0.1\"\nport = " + port +
			"\ndatabase = \"mail\"\nuser = \"doorstep\"\ntimeout = \"100ms\"\n", nil,
			[]string{"doorstep.toml:18:8: directory[0].port: ", "(is it running there"}},
		{"a server of warnings", "warn_url = \"" + web.URL + "/secret\"\n", nil,
			[]string{"quota.warn_url: its server answers; no warning was posted\n"}},
		{"no server of warnings", "warn_url = \"http://127.0.0.1:1/secret\"\n", nil,
			[]string{"doorstep.toml:15:12: quota.warn_url: warning: dial tcp 127.0.0.1:1: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"doorstep.toml": configuration + tt.more}
			for name, text := range tt.files {
				files[name] = text
			}
			got := run(t, write(t, files))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			if strings.Contains(got, "secret") {
				t.Errorf("the URL is shown:\n%s", got)
			}
		})
	}
	if posted > 0 {
		t.Errorf("%d warnings were posted", posted)
	}
}

// TestSockets: who has the address of a listener is said, and that it is the running server's is no problem.
func TestSockets(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:")
	dir := write(t, map[string]string{"doorstep.toml": strings.ReplaceAll(configuration, "[control]",
		"[[listen]]\naddress = \"tcp:127.0.0.1:"+port+"\"\n[[listen]]\naddress = \"tcp:192.0.2.1:2424\"\n[control]")})
	has := func(want ...string) {
		t.Helper()
		got := run(t, dir)
		for _, want := range want {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing in\n%s", want, got)
			}
		}
	}
	has("unix:DIR/lmtp: free\n",
		"doorstep.toml:5:11: listen[1].address: another server is running there: check.test, process ",
		"doorstep.toml:7:11: listen[2].address: bind: cannot assign requested address (ip addr")
	for _, name := range []string{"lmtp", "control"} {
		l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if name == "lmtp" {
			has("doorstep.toml:3:11: listen[0].address: another server is running there: check.test, process ", ", user ",
				"(stop it first, or choose another address)")
		}
	}
	has("unix:DIR/lmtp: the running server listens: check.test, process ", "tcp:127.0.0.1:"+port+": the running server")
}
