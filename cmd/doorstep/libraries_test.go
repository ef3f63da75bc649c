package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// program is a complete Go program of a page, with the name that a comment before it has.
var program = regexp.MustCompile("(?ms)(?:^<!-- test: (\\w+) -->\n)?^```go\n(.*?)^```$")

// TestGoProgramsOfPages: every program in Go that a page shows compiles, and those of libraries.md do what the page
// says: the client's message is in the recipient's Maildir, and a recipient of another domain is refused.
func TestGoProgramsOfPages(t *testing.T) {
	dir := t.TempDir()
	built := map[string]string{}
	for _, page := range pages(t) {
		for _, m := range program.FindAllStringSubmatch(page.text, -1) {
			name := filepath.Join(dir, m[1]+strings.ReplaceAll(page.path, "/", "-"))
			if err := os.WriteFile(name+".go", []byte(m[2]), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "build", "-o", name, name+".go")
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", page.path, err, out)
				continue
			}
			built[m[1]] = name
		}
	}
	if built["server"] == "" || built["client"] == "" {
		t.Fatalf("built %v", built)
	}

	socket, mail := filepath.Join(dir, "s"), filepath.Join(dir, "mail")
	if err := os.Mkdir(mail, 0o700); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(built["server"], socket, mail)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	peer.Await(t, 30*time.Second, "the server", func() bool {
		c, err := net.Dial("unix", socket)
		return err == nil && c.Close() == nil
	})
	out, err := exec.Command(built["client"], socket, "Jos\u00c9@example.org", "x@elsewhere.example").CombinedOutput()
	want := regexp.MustCompile(`^Jos\x{c9}@example.org true 250 2.0.0 \S+ delivered\n` +
		`x@elsewhere.example false 550 5.1.2 no such domain here`)
	if err != nil || !want.Match(out) {
		t.Errorf("the client printed %q (%v)", out, err)
	}
	copies, err := filepath.Glob(filepath.Join(mail, "jos\u00e9", "new", "*"))
	if err != nil || len(copies) != 1 {
		t.Fatalf("copies %q (%v)", copies, err)
	}
	text, err := os.ReadFile(copies[0])
	if err != nil || string(text) != "Return-Path: <app@example.org>\nSubject: hello\n\nHow are you?\n" {
		t.Errorf("copy %q (%v)", text, err)
	}
}
