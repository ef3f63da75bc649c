package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// quickstart is a block of commands that README.md promises to work.
var quickstart = regexp.MustCompile("(?s)<!-- test: quickstart -->\n```sh\n(.*?)\n```")

// TestQuickStart does what README.md tells a newcomer to do, line by line, in a fresh copy of the
// sources. A line that ends in & runs in the background, from when it says that it is ready until
// the end.
func TestQuickStart(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := quickstart.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no block of commands behind <!-- test: quickstart -->")
	}
	dir := peer.Dir(t)
	copySources(t, dir)
	for _, block := range blocks {
		for line := range strings.Lines(block[1] + "\n") {
			line = strings.TrimSpace(line)
			if background, ok := strings.CutSuffix(line, "&"); ok {
				inBackground(t, dir, background)
			} else if line != "" {
				inForeground(t, dir, line)
			}
		}
	}
}

// inForeground runs a line, which must succeed and show something for it.
func inForeground(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) == 0 {
		t.Fatalf("$ %s\n%s%v", line, out, err)
	}
	t.Logf("$ %s\n%s", line, out)
}

// inBackground runs a server until the test ends. Then it must stop as one that is told to.
func inBackground(t *testing.T, dir, line string) {
	t.Helper()
	s := &server{dir: dir, cmd: exec.Command("sh", "-c", "exec "+line)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.signal(t, syscall.SIGTERM)
		if code := s.exitCode(t); code != 0 {
			t.Errorf("$ %s&\nexit status %d\n%s", line, code, s.log.String())
		}
	})
	if err := s.out.await(" ready"); err != nil {
		t.Fatalf("$ %s&\n%v\n%s", line, err, s.log.String())
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
