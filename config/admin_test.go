package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadToken: a token is long enough, one word, and nobody else's.
func TestReadToken(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		ok         bool
		want       string // in the error
	}{
		{"good", "0123456789abcdef\n", 0o640, true, ""},
		{"short", "0123456789abcde\n", 0o600, false, "less than 16"},
		{"open", "0123456789abcdef\n", 0o644, false, "open to every user"},
		{"two", "0123456789 abcdef\n", 0o600, false, "not one word"},
		{"long", strings.Repeat("x", maxSecret+1), 0o600, false, "not one word"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		token, err := ReadToken(path)
		if c.ok != (err == nil) || c.ok && token != strings.TrimSpace(c.text) {
			t.Errorf("%s: token %q, error %v", c.name, token, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.want) || Hint(err) == "") {
			t.Errorf("%s: %v (%s), want %q and a hint", c.name, err, Hint(err), c.want)
		}
	}
	if _, err := ReadToken(dir); err == nil {
		t.Error("a directory was taken for a token")
	}
}
