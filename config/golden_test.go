package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/config"
)

var update = flag.Bool("update", false, "write what is expected anew")

const testdata = "../testdata/config"

// files returns the configurations in a directory, by name: NAME.toml, or
// NAME/doorstep.toml with a conf.d beside it.
func files(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	single, err := filepath.Glob(filepath.Join(testdata, directory, "*.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range single {
		found[strings.TrimSuffix(filepath.Base(path), ".toml")] = path
	}
	trees, err := filepath.Glob(filepath.Join(testdata, directory, "*", "doorstep.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range trees {
		found[filepath.Base(filepath.Dir(path))] = path
	}
	return found
}

// lines renders problems as the program prints them, with paths as seen from the
// configuration's directory.
func lines(path string, problems []config.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return strings.ReplaceAll(b.String(), filepath.Dir(path)+"/", "")
}

func TestBadFiles(t *testing.T) {
	bad := files(t, "bad")
	if len(bad) < 40 {
		t.Errorf("%d bad configurations, want at least 40", len(bad))
	}
	for name, path := range bad {
		t.Run(name, func(t *testing.T) {
			_, problems, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) == 0 {
				t.Error("no problem found")
			}
			checkPositions(t, problems)
			golden(t, filepath.Join(testdata, "bad", name+".want"), lines(path, problems))
		})
	}
}

// checkPositions checks that every position lies inside its file.
func checkPositions(t *testing.T, problems []config.Problem) {
	t.Helper()
	for _, p := range problems {
		if p.Line == 0 && p.Column == 0 {
			continue
		}
		text, err := os.ReadFile(p.File)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
			t.Errorf("position outside the file: %s", p)
		}
	}
}

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEightMistakesAreEightLines(t *testing.T) {
	_, problems, err := config.Load(filepath.Join(testdata, "bad", "eight.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 8 || !config.HasErrors(problems) {
		t.Errorf("%d problems, want 8 errors", len(problems))
	}
}

func TestGoodFiles(t *testing.T) {
	for name, path := range files(t, "good") {
		t.Run(name, func(t *testing.T) {
			_, problems, err := config.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) != 0 {
				t.Errorf("problems:\n%s", lines(path, problems))
			}
		})
	}
}
