package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadHalfWritten: while a configuration is written in place, and after its writer has died in the middle,
// a reload drops no account where that can be known.
func TestReloadHalfWritten(t *testing.T) {
	dir := place(t)
	whole := controlled("")
	s := serveConfig(t, dir, whole)
	file := filepath.Join(dir, "doorstep.toml")
	cut := strings.Index(whole, "[[user]]\naddress = \"bob@")

	stillThere := func(when string) {
		t.Helper()
		session(t, dir).deliver(when, "bob")
	}
	refused := func(text, why string) {
		t.Helper()
		rewrite(t, dir, text)
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
		_, errs, code := doorstep(t, dir, "reload", "--socket", "control")
		if code == 0 || !strings.Contains(errs, why) ||
			!strings.Contains(errs, "the old configuration stays in force") {
			t.Errorf("reload said %q, exit status %d; want %q", errs, code, why)
		}
		stillThere(why)
	}
	refused("", "cannot be used")
	refused(whole[:cut+3], "cannot be used")
	refused(whole[:cut-2], "is not whole")
	accounts := strings.Index(whole, "[[user]]")
	refused(whole[:accounts], "all mail would be refused")

	// A writer stops at the end of a line, and goes on while the reload waits.
	rewrite(t, dir, whole[:cut])
	writer, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	s.signal(t, syscall.SIGHUP)
	if _, err := writer.WriteString(whole[cut:]); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, `msg="configuration reloaded"`)
	stillThere("written to the end")

	// What is meant is done, a second later.
	rewrite(t, dir, strings.Replace(whole, "[[user]]\naddress = \"bob@example.org\"\n", "", 1))
	if out, errs, code := doorstep(t, dir, "reload", "--socket", "control"); code != 0 ||
		!strings.Contains(out, `user "bob@example.org" (gone)`) {
		t.Errorf("%s%s, exit status %d", out, errs, code)
	}
	d := session(t, dir)
	d.say("MAIL FROM:<s@example.com>", "250 ")
	d.say("RCPT TO:<bob@example.org>", "550 5.1.1")
}

// TestReloadPartVanished: a file of conf.d that is removed and written anew drops nobody meanwhile.
func TestReloadPartVanished(t *testing.T) {
	dir := place(t)
	parts := filepath.Join(dir, "conf.d")
	if err := os.Mkdir(parts, 0o700); err != nil {
		t.Fatal(err)
	}
	part, text := filepath.Join(parts, "more.toml"), []byte("[[user]]\naddress = \"carol@example.org\"\n")
	write := func() {
		t.Helper()
		if err := os.WriteFile(part, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	s := serveConfig(t, dir, controlled(""))
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	write()
	s.awaitLog(t, `msg="configuration reloaded"`)
	session(t, dir).deliver("to one who is in conf.d", "carol")
}
