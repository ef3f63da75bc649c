package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwnersPlantMaildirsize: whatever an owner puts in the place of maildirsize, it is his mailbox
// alone that is counted for it, at RCPT, at delivery and by the command, and nothing of others is read
// or written (S11, S12).
func TestOwnersPlantMaildirsize(t *testing.T) {
	dir := ownersPlace(t)
	const quota = "quota = \"1MiB\"\n"
	configuration := strings.NewReplacer("uid = 20001\n", "uid = 20001\n"+quota, "uid = 20002\n",
		"uid = 20002\n"+quota).Replace(ownersConfig)
	s := serveStatic(t, dir, configuration)
	d := session(t, dir)
	d.deliver("first", "alice", "bob")

	mine := filepath.Join(dir, "homes", "alice", "Maildir", "maildirsize")
	theirs := filepath.Join(dir, "homes", "bob", "Maildir", "maildirsize")
	secret := filepath.Join(dir, "secret")
	const content = "1048576S\n0 0\n0 0\n"
	if err := os.WriteFile(secret, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ofBob, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	file := func(content string, mode os.FileMode) func() error {
		return func() error { return errors.Join(os.WriteFile(mine, []byte(content), 0o600), os.Chmod(mine, mode)) }
	}
	plants := []struct {
		name  string
		plant func() error
	}{
		{"link to Bob's", func() error { return os.Symlink(theirs, mine) }},
		{"link to root's", func() error { return os.Symlink(secret, mine) }},
		{"link to passwords", func() error { return os.Symlink("/etc/shadow", mine) }},
		{"hard link to Bob's", func() error { return os.Link(theirs, mine) }},
		{"hard link to root's", func() error { return os.Link(secret, mine) }},
		{"FIFO", func() error { return unix.Mkfifo(mine, 0o600) }},
		{"device", func() error { return unix.Mknod(mine, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }},
		{"1 GiB of holes", func() error { return errors.Join(file(content, 0o600)(), os.Truncate(mine, 1<<30)) }},
		{"not to be read", file(content, 0)},
		{"not to be written", file(content, 0o400)},
		{"junk", file("\x00\xff,S\n-", 0o600)},
		{"negative", file("1048576S\n-999999 -9\n", 0o600)},
		{"beyond all numbers", file("1048576S\n99999999999999999999 1\n", 0o600)},
		{"directory", func() error { return os.MkdirAll(filepath.Join(mine, "x"), 0o700) }}, // the last: it stays
	}
	for i, p := range plants {
		if err := errors.Join(os.RemoveAll(mine), p.plant()); err != nil {
			t.Fatal(p.name, err)
		}
		if !strings.HasPrefix(p.name, "hard link") { // which would be another's then
			if err := os.Lchown(mine, aliceID, aliceID); err != nil {
				t.Fatal(err)
			}
		}
		d.deliver(p.name, "alice")
		if got := messages(t, dir, "alice"); len(got) != i+2 {
			t.Errorf("%s: Alice has %d messages, want %d", p.name, len(got), i+2)
		}
		out, errs, code := doorstep(t, dir, "mailbox", "quota", "-c", "doorstep.toml", "--json", "alice@example.org")
		if want := fmt.Sprintf(`"messages": %d`, i+2); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: mailbox quota says %s%s, exit status %d, want %s", p.name, out, errs, code, want)
		}
		for path, want := range map[string]string{theirs: string(ofBob), secret: content} {
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%s: %s is %q, %v", p.name, path, got, err)
			}
		}
	}
	if log := s.log.String(); strings.Contains(log, "msg=refused") {
		t.Errorf("log: %s", log)
	}
	d.deliver("last", "bob", "alice")
	if err := os.RemoveAll(mine); err != nil {
		t.Fatal(err)
	}
	wantOwner(t, filepath.Join(dir, "homes", "alice"), aliceID)
	wantOwner(t, filepath.Join(dir, "homes", "bob"), bobID)
}
