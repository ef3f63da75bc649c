package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// seed adds the configurations of the tests to a fuzz target.
func seed(f *testing.F) {
	for _, pattern := range []string{"good/*.toml", "bad/*.toml", "*/*/conf.d/*.toml"} {
		paths, err := filepath.Glob(filepath.Join("../testdata/config", pattern))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no files for %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
}

// No text makes Load panic, and all positions lie inside of it.
func FuzzLoad(f *testing.F) {
	seed(f)
	f.Add("k.\"例") // the decoder stops within the last character
	f.Fuzz(func(t *testing.T, text string) {
		r := table.NewReader(sections)
		whole := r.Read("doorstep.toml", "/etc/doorstep", text)
		if whole {
			r.ApplyDefaults()
			r.Config.check(&r.Input)
		}
		found := problemsInOrder(r.Problems, []string{"doorstep.toml"})
		if !whole && !HasErrors(found) {
			t.Fatal("unread without a problem")
		}
		lines := strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n")
		for _, p := range found {
			if p.Line == 0 && p.Column == 0 {
				continue
			}
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
				t.Fatalf("position outside the file: %s", p)
			}
			if strings.ContainsAny(p.String(), "\n\r") {
				t.Fatalf("a problem of two lines: %q", p)
			}
		}
		if whole && !HasErrors(found) {
			checkUsable(t, &r.Config)
		}
	})
}

// checkUsable checks what the rest of the program relies on.
func checkUsable(t *testing.T, c *Config) {
	if c.Hostname == "" || len(c.Listen) == 0 || len(c.Domains) == 0 ||
		c.Limits.Recipients < 100 || c.Limits.IdleTimeout <= 0 {
		t.Fatalf("unusable without an error: %+v", c)
	}
	for _, l := range c.Listen {
		if l.Network == "" || l.Address == "" || l.Connections < 1 || l.Protocol == "" {
			t.Fatalf("unusable listener without an error: %+v", l)
		}
	}
	if !strings.HasPrefix(c.Store.Path, "/") && !strings.HasPrefix(c.Store.Path, "{home}") {
		t.Fatalf("store.path %q without an error", c.Store.Path)
	}
}
