package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/config"
)

const before = `hostname = "mail.example.org"
[[listen]]
address = "unix:/run/doorstep/a"
[[listen]]
address = "unix:/run/doorstep/b"
mode = "0660"
[limits]
recipients = 200
[log]
level = "info"
[[domain]]
name = "example.org"
[[user]]
address = "alice@example.org"
[[user]]
address = "bob@example.org"
aliases = ["postmaster@example.org", "a@example.org"]
`

const after = `hostname = "mx.example.org"
[[listen]]
address = "unix:/run/doorstep/b"
mode = "0600"
peers = ["root"]
[[listen]]
address = "unix:/run/doorstep/c"
[limits]
message_size = "1MiB"
[log]
level = "debug"
format = "json"
[[domain]]
name = "example.org"
[[user]]
address = "newcomer@example.org"
[[user]]
address = "bob@example.org"
aliases = ["postmaster@example.org", "b@example.org"]
`

// TestChanges: elements are matched by name, not by their place in the file; and what only a start
// reads is marked.
func TestChanges(t *testing.T) {
	load := func(text string) *config.Config {
		path := filepath.Join(t.TempDir(), "doorstep.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems, err := config.Load(path)
		if err != nil || config.HasErrors(problems) {
			t.Fatal(err, problems)
		}
		return c
	}
	a, b := load(before), load(after)
	want := []config.Change{
		{What: "hostname"},
		{What: "limits.message_size"},
		{What: "limits.recipients"},
		{What: `listen "unix:/run/doorstep/a" (gone)`, Restart: true},
		{What: `listen "unix:/run/doorstep/b".mode`, Restart: true},
		{What: `listen "unix:/run/doorstep/b".peers`},
		{What: `listen "unix:/run/doorstep/c" (new)`, Restart: true},
		{What: "log.format", Restart: true},
		{What: "log.level"},
		{What: `user "alice@example.org" (gone)`},
		{What: `user "bob@example.org".aliases`},
		{What: `user "newcomer@example.org" (new)`},
	}
	if diff := cmp.Diff(want, a.Changes(b)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if same := a.Changes(load(before)); len(same) != 0 {
		t.Errorf("the same file twice: %v", same)
	}
}
