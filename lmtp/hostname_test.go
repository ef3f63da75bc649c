package lmtp_test

import (
	"bufio"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestHostname: clients see A-labels only (RFC 6531 §3.7.1), and a name that is no domain starts no server.
func TestHostname(t *testing.T) {
	for configured, want := range map[string]string{
		"bücher.example":   "xn--bcher-kva.example",
		"MX.Example":       "MX.Example",
		"two words":        "",
		"b\u200bd.example": "",
		"mx.example.":      "",
	} {
		t.Run(configured, func(t *testing.T) {
			l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
			if err != nil {
				t.Fatal(err)
			}
			s := &lmtp.Server{Handler: takesAll{}, Hostname: configured}
			if want == "" {
				if err := s.Serve(l); !errors.Is(err, address.ErrSyntax) {
					t.Errorf("Serve: %v", err)
				}
				if _, err := net.Dial("unix", l.Addr().String()); err == nil {
					t.Error("the listener is open")
				}
				return
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			c, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("LHLO me\r\nQUIT\r\n")); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(c)
			for _, beginning := range []string{"220 " + want + " ", "250-" + want} {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), beginning) {
					t.Errorf("%q, want %q", lines.Text(), beginning)
				}
			}
			c.Close()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-served; !errors.Is(err, lmtp.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
}
