package dist

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// repository is the root of the repository.
const repository = "../../.."

// run runs a program that must succeed within some minutes.
func run(tb testing.TB, dir, name string, args ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1793491200")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %q: %v\n%.4000s", name, args, err, out)
	}
	return string(out)
}

// build builds the program as "make build" does, from the sources in dir.
func build(tb testing.TB, dir, version, out string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags",
		"-s -w -X github.com/doorstep-mail/doorstep/cmd/internal/cli.Version="+version, "-o", out, "./cmd/doorstep")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, text)
	}
}

// TestBuildIsReproducible: the same sources in another directory give the same program, octet by
// octet, and it needs no library of the system.
func TestBuildIsReproducible(t *testing.T) {
	peer.Need(t, "git")
	here, there := t.TempDir(), t.TempDir()
	run(t, ".", "sh", "-c", `cd "$1" && git ls-files -z --cached --others --exclude-standard -- '*.go' go.mod go.sum cmd config delivery lmtp mailbox | sort -zu | grep -zv -e _test.go -e testdata | xargs -0 cp --parents -t "$2"`, "sh", repository, there)
	build(t, repository, "1.2.3", filepath.Join(here, "a"))
	build(t, there, "1.2.3", filepath.Join(here, "b"))
	a, err := os.ReadFile(filepath.Join(here, "a"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(here, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("two builds differ: %d and %d octets", len(a), len(b))
	}
	if bytes.Contains(a, []byte("ld-linux")) {
		t.Error("the program is not static")
	}
}
