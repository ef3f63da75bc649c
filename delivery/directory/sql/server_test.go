package sql

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPassword: the first line counts, and a file that everybody can read is refused.
func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	s := Server{PasswordFile: path}
	if _, err := s.Password(); err == nil {
		t.Error("a file that is not there")
	}
	if err := os.WriteFile(path, []byte("open 'sesame' \r\nsecond line\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Password(); err != nil || got != "open 'sesame' " {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Password(); err == nil || got != "" {
		t.Errorf("open to everybody: %q, %v", got, err)
	}
	if got, err := (Server{}).Password(); err != nil || got != "" {
		t.Errorf("no file: %q, %v", got, err)
	}
}
