package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// quickstart is a block of commands that README.md promises to work.
var quickstart = regexp.MustCompile("(?s)<!-- test: quickstart -->\n```sh\n(.*?)\n```")

// TestQuickStart pastes the block of README.md into a shell, as a newcomer does, in a fresh copy of the sources.
// Nothing here waits for anything: each line runs as soon as the shell has read it.
func TestQuickStart(t *testing.T) {
	if !powercut.AloneOnNetwork(t) { // the ports of serve --dev may be in use
		return
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := quickstart.FindStringSubmatch(string(readme))
	if block == nil {
		t.Fatal("README.md has no block of commands after <!-- test: quickstart -->")
	}
	for _, shell := range []string{"bash", "dash"} {
		t.Run(shell, func(t *testing.T) {
			peer.Need(t, shell)
			dir := peer.Dir(t)
			copySources(t, dir)
			paste(t, shell, dir, block[1])
		})
	}
}

// paste runs a shell with the block on its standard input, and then what ends the server. A line that fails ends it.
func paste(t *testing.T, shell, dir, block string) {
	t.Helper()
	cmd := exec.Command(shell, "-eux", "-s")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdin = strings.NewReader("trap 'kill $!; wait $!' EXIT\n" + block + "\n")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), said.String())
	}
	for _, want := range []string{
		`(?m)^用户@例え\.example: 250 2\.0\.0 `, `(?m)^alice@example\.org: 250 2\.0\.0 `,
		`(?m)^doorstep-dev/mail/xn--r8jz45g\.example/用户/Maildir/new/`,
		`(?m)^doorstep-dev/mail/example\.org/alice/Maildir/new/`,
		`doorstep\.toml: ok \(2 domains, 3 users\)`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("it does not print %q:\n%s\n%s", want, out.String(), said.String())
		}
	}
}

// copySources copies what a build takes, and no more: the repository may be large.
func copySources(t *testing.T, dir string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(p))
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "doorstep-dev"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case !d.Type().IsRegular() || !isSource(d.Name()):
			return nil
		}
		b, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".mod", ".sum", ".html", ".css", ".js": // the last are embedded
		return !strings.HasSuffix(name, "_test.go")
	}
	return name == "Makefile"
}
