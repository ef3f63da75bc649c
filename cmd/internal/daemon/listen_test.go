package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestSwappedSocket: where others may write to the directory, the name of a new socket may lead
// elsewhere when it is chmodded. What it leads to is not opened.
func TestSwappedSocket(t *testing.T) {
	dir := peer.Dir(t)
	file, socket, link := filepath.Join(dir, "file"), filepath.Join(dir, "socket"), filepath.Join(dir, "lmtp")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{file, socket} {
		if err := os.Symlink(secret, link); err != nil {
			t.Fatal(err)
		}
		if err := openTo(link, -1, -1, 0o666); err == nil || !strings.Contains(err.Error(), "the socket was replaced") {
			t.Errorf("a link to %s: %v", secret, err)
		}
		if info, err := os.Stat(secret); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", secret, info.Mode(), err)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
	if err := openTo(file, -1, -1, 0o666); err == nil {
		t.Error("a file was opened in place of the socket")
	}
}
