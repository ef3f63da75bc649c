package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipeIsNoSecret: a pipe is refused; to open one could take forever.
func TestPipeIsNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPassword(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("%v", err)
	}
}

// TestPassword: the first line counts, and a file that every user can read is refused.
func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if _, err := ReadPassword(path); err == nil {
		t.Error("a file that is not there")
	}
	if err := os.WriteFile(path, []byte("open 'sesame' \r\nsecond line\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPassword(path); err != nil || got != "open 'sesame' " {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPassword(path); err == nil || got != "" {
		t.Errorf("open to everybody: %q, %v", got, err)
	}
	if got, err := ReadPassword(""); err != nil || got != "" {
		t.Errorf("no file: %q, %v", got, err)
	}
}
