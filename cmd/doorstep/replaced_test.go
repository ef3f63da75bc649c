package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// onFile is a server whose accounts are in ./accounts.db, with those that remember being many.
func onFile(t *testing.T) (dir string, d *dialogue) {
	t.Helper()
	dir = place(t)
	frame, _, _ := strings.Cut(plainConfig(""), "[[domain]]")
	configuration := frame + "[[directory]]\ndriver = \"sqlite\"\nfile = \"accounts.db\"\ncache_ttl = " +
		"\"1h\"\nnegative_ttl = \"1h\"\n"
	rewrite(t, dir, configuration)
	manage(t, dir, "domain add example.org", "user add both@example.org", "user add back@example.org")
	serveConfig(t, dir, configuration)
	return dir, session(t, dir)
}

// manage runs verbs, which must not complain.
func manage(t *testing.T, dir string, verbs ...string) {
	t.Helper()
	for _, verb := range verbs {
		if out, errs, code := doorstep(t, dir, append(strings.Fields(verb), "-c", "doorstep.toml")...); code != 0 {
			t.Fatalf("%s: %s%s", verb, out, errs)
		}
	}
}

// wantReply wants the server to answer RCPT so, and doorstep lookup to say the same.
func wantReply(t *testing.T, dir string, d *dialogue, local, reply string) {
	t.Helper()
	d.say("RSET", "250 ")
	d.say("MAIL FROM:<s@example.com>", "250 ")
	d.say("RCPT TO:<"+local+"@example.org>", reply)
	if out, errs, _ := doorstep(t, dir, "lookup", "-c", "doorstep.toml", local+"@example.org"); !strings.Contains(out+errs,
		reply) {
		t.Errorf("lookup %s does not say %s:\n%s%s", local, reply, out, errs)
	}
}

// sh runs a command as the manual has it in a place.
func sh(t *testing.T, dir, command string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", strings.NewReplacer("/var/lib/doorstep", dir, "/var/backups/",
		dir+"/backup-").Replace(command))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestDatabaseReplaced: a running server, whatever it remembers, and doorstep lookup answer from the file that is
// there, however it came there. Without one nobody is refused.
func TestDatabaseReplaced(t *testing.T) {
	for name, replace := range map[string]string{
		"mv": "rm -f accounts.db-wal accounts.db-shm; mv copy.db accounts.db",
		"cp": "rm -f accounts.db-wal accounts.db-shm; cp copy.db new.db; mv new.db accounts.db",
	} {
		t.Run(name, func(t *testing.T) {
			dir, d := onFile(t)
			sh(t, dir, "cp accounts.db copy.db") // nobody has changed it since its log was emptied
			manage(t, dir, "user del back@example.org", "user add gone@example.org")
			wantReply(t, dir, d, "back", "550 5.1.1")
			wantReply(t, dir, d, "gone", "250 2.1.5")
			sh(t, dir, "mv accounts.db away.db")
			if err := os.Remove(filepath.Join(dir, "accounts.db-wal")); err != nil {
				t.Error(err)
			}
			for _, local := range []string{"unheard-of", "gone", "back"} { // the first is asked for, which tells of the others
				wantReply(t, dir, d, local, "451 4.4.3")
			}
			sh(t, dir, replace)
			wantReply(t, dir, d, "back", "250 2.1.5")
			wantReply(t, dir, d, "gone", "550 5.1.1")
			wantReply(t, dir, d, "both", "250 2.1.5")
		})
	}
}

// TestDatabaseRestoreManual restores a backup as docs/sqlite.md says, while a server runs.
func TestDatabaseRestoreManual(t *testing.T) {
	peer.Need(t, "sqlite3")
	for _, way := range []string{"sqlite restore", "sqlite restore by hand"} {
		t.Run(way, func(t *testing.T) {
			dir, d := onFile(t)
			wantReply(t, dir, d, "both", "250 2.1.5")
			sh(t, dir, manual(t, "sqlite.md", "sqlite backup"))
			manage(t, dir, "user del back@example.org", "user add gone@example.org")
			sh(t, dir, manual(t, "sqlite.md", way))
			wantReply(t, dir, d, "back", "250 2.1.5")
			wantReply(t, dir, d, "gone", "550 5.1.1")
			manage(t, dir, "user add later@example.org")
			wantReply(t, dir, d, "later", "250 2.1.5")
		})
	}
}
