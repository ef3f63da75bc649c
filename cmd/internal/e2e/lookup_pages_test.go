package e2e_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
)

// runLookups runs the examples of a page of docs/. Behind the mark "<!-- test: lookup -->" a page
// has a configuration (```toml), and after that what doorstep lookup prints with it (```console).
// instead has what stands in the place of words of the page while the test runs; the path of the
// store is below dir.
//
// How far apart the columns are depends on how long these are, and does not count.
func runLookups(t *testing.T, page, dir string, instead ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	instead = append(instead, "/srv/mail", filepath.Join(dir, "mail"))
	var back []string
	for i := 0; i < len(instead); i += 2 {
		back = append(back, instead[i+1], instead[i])
	}
	_, rest, marked := strings.Cut(string(text), "<!-- test: lookup -->")
	if !marked {
		t.Fatalf("%s has no example", page)
	}
	config, rest := block(t, rest, "toml")
	file := filepath.Join(dir, "doorstep.toml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer(instead...).Replace(config)), 0o600); err != nil {
		t.Fatal(err)
	}
	program := peer.BuildDoorstep(t, dir)
	examples := 0
	for strings.Contains(rest, "\n```console\n") {
		var console string
		console, rest = block(t, rest, "console")
		for _, example := range strings.Split("\n"+console, "\n$ doorstep lookup ")[1:] {
			examples++
			address, want, _ := strings.Cut(example, "\n")
			cmd := exec.Command(program, "lookup", "-c", file, address)
			var out, complaints bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaints
			err := cmd.Run() // a refused address is a failure too
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			got := strings.NewReplacer(back...).Replace(out.String())
			if diff := cmp.Diff(cells(want), cells(got)); diff != "" {
				t.Errorf("%s: lookup %s (-page +doorstep)\n%s\n%s\n%s", page, address, diff, got, complaints.String())
			}
		}
	}
	if examples == 0 {
		t.Errorf("%s has no example of lookup", page)
	}
}

// block returns the next fenced block of a kind, and what is after it.
func block(t *testing.T, text, kind string) (inside, behind string) {
	t.Helper()
	_, inside, begun := strings.Cut(text, "\n```"+kind+"\n")
	inside, behind, ended := strings.Cut(inside, "```\n")
	if !begun || !ended {
		t.Fatalf("no block of %s", kind)
	}
	return inside, behind
}

// cells returns the lines, each with one space between its columns.
func cells(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestFolderExamples(t *testing.T) {
	t.Parallel()
	runLookups(t, "folders.md", t.TempDir())
}

func TestAliasExamples(t *testing.T) {
	t.Parallel()
	runLookups(t, "aliases.md", t.TempDir(), "/var/lib/doorstep", t.TempDir())
}

func TestLDAPExamples(t *testing.T) {
	t.Parallel()
	dir := peer.Dir(t) // in lower case, as iRedMail's homes are
	s := ldaptest.Start(t, ldaptest.IRedMail(directorytest.Standard, filepath.Join(dir, "mail")))
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(ldaptest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runLookups(t, "ldap.md", dir, "ldap://ldap.example.org", s.URL, "/etc/doorstep/ldap-ca.pem", s.CA, "/etc/doorstep/ldap.password", password)
}

func TestSystemExamples(t *testing.T) {
	t.Parallel()
	dir := peer.Dir(t) // alice may pass
	passwd, homes := filepath.Join(dir, "passwd"), filepath.Join(dir, "home")
	if err := errors.Join(os.Mkdir(homes, 0o755), os.Mkdir(filepath.Join(homes, "alice"), 0o755)); err != nil {
		t.Fatal(err)
	}
	accounts := "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::" + homes + "/alice:/bin/sh\n" +
		"off:x:1001:1001::/home/off:/usr/sbin/nologin\n"
	if err := os.WriteFile(passwd, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	runLookups(t, "system.md", dir, "/etc/passwd", passwd, "/srv/home", homes)
}
