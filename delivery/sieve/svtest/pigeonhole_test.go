package svtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/sieve/program"
	"github.com/google/go-cmp/cmp"
)

// A score is how many of the tests of a directory pass.
type score struct{ passed, of int }

// TestPigeonhole runs Pigeonhole's public test suite, in the checkout that DOORSTEP_PIGEONHOLE names, and holds the
// table of docs/sieve.md. "make pigeonhole" fetches the suite.
func TestPigeonhole(t *testing.T) {
	root := os.Getenv("DOORSTEP_PIGEONHOLE")
	if root == "" {
		t.Skip("DOORSTEP_PIGEONHOLE names no checkout of Pigeonhole: make pigeonhole")
	}
	dir, err := program.Open(program.Options{
		Path: filepath.Join(root, "tests/plugins/extprograms/bin"), Owner: uint32(os.Geteuid()), Spool: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	programs := &program.Runner{Directory: dir}
	t.Cleanup(func() {
		if err := programs.Close(); err != nil {
			t.Error(err)
		}
	})
	got := map[string]score{}
	tests := os.DirFS(filepath.Join(root, "tests"))
	err = fs.WalkDir(tests, ".", func(name string, _ fs.DirEntry, err error) error {
		file := filepath.Join(root, "tests", name)
		if strings.HasSuffix(name, ".svtest.in") {
			file = withoutUTF8(t, file)
		} else if filepath.Ext(name) != ".svtest" || fileExists(file+".in") {
			return err
		}
		dir, passed, of := filepath.Dir(name), 0, 0
		blocks, problems, err := Run(t.Context(), file, programs)
		for _, b := range blocks {
			of++
			if b.OK {
				passed++
			} else if dir != failures {
				t.Logf("%s:%d: %s: %s", name, b.Line, b.Test, b.Text)
			}
		}
		if len(problems) > 0 { // none of its tests runs
			of = countTests(t, file)
			for _, p := range problems {
				t.Logf("%s:%d: %s", name, p.Line, p.Text)
			}
		}
		if dir == failures { // whose tests have to fail, or to have problems
			passed = of - passed
		}
		s := got[dir]
		got[dir] = score{s.passed + passed, s.of + of}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/sieve.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(table(string(page)), lines(got)); d != "" {
		t.Errorf("(-docs/sieve.md +suite)\n%s", d)
	}
}

// failures is where the tests are that Pigeonhole wants to fail.
const failures = "failures"

// row is one of the table: a directory, how many tests pass, and of how many.
var row = regexp.MustCompile("(?m)^\\| `([a-z/.0-9-]+)` \\| ([0-9]+) of ([0-9]+) \\|")

func table(page string) (list []string) {
	for _, m := range row.FindAllStringSubmatch(page, -1) {
		list = append(list, fmt.Sprintf("%s: %s of %s", m[1], m[2], m[3]))
	}
	slices.Sort(list)
	return list
}

func lines(scores map[string]score) (list []string) {
	all := score{}
	for dir, s := range scores {
		list = append(list, fmt.Sprintf("%s: %d of %d", dir, s.passed, s.of))
		all.passed, all.of = all.passed+s.passed, all.of+s.of
	}
	list = append(list, fmt.Sprintf("total: %d of %d", all.passed, all.of))
	slices.Sort(list)
	return list
}

func fileExists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// withoutUTF8 writes a test file without its lines for a Dovecot that knows internationalized addresses: they are not
// active in what distributions build.
func withoutUTF8(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(file), ".in"))
	text = regexp.MustCompile("#UTF8#.*").ReplaceAll(text, nil)
	if err := os.WriteFile(plain, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return plain
}

// countTests counts the tests of a file that cannot be run.
func countTests(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return len(regexp.MustCompile(`(?m)^test *"`).FindAll(text, -1))
}
