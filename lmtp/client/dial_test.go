package client

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	for _, tt := range []struct{ target, network, addr string }{
		{"unix:/run/x.sock", "unix", "/run/x.sock"},
		{"unix:x.sock", "unix", "x.sock"},
		{"/run/x.sock", "unix", "/run/x.sock"},
		{"tcp:127.0.0.1:2424", "tcp", "127.0.0.1:2424"},
		{"mx.example:lmtp", "tcp", "mx.example:lmtp"},
		{"[::1]:2424", "tcp", "[::1]:2424"},
		{"tcp:[::1]:2424", "tcp", "[::1]:2424"},
		{":2424", "tcp", ":2424"},
		{"", "", ""},
		{"unix:", "", ""},
		{"mx.example", "", ""},
		{"mx.example:", "", ""},
		{"tcp:", "", ""},
		{"::1:2424", "", ""},
	} {
		network, addr, err := ParseTarget(tt.target)
		if network != tt.network || addr != tt.addr || (err != nil) != (tt.network == "") {
			t.Errorf("%q: %q %q %v, want %q %q", tt.target, network, addr, err, tt.network, tt.addr)
		}
	}
}

func TestDial(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			addr := map[string]string{"unix": filepath.Join(t.TempDir(), "s"), "tcp": "127.0.0.1:0"}[network]
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			played := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					err = <-script{text: lhlo + "C: QUIT\nS: 221 bye\nX"}.play(conn)
				}
				played <- err
			}()
			c, err := Dial(t.Context(), network+":"+l.Addr().String(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Quit(t.Context()); err != nil {
				t.Error("Quit:", err)
			}
			if err := <-played; err != nil {
				t.Error(err)
			}
			if _, err := c.Send(t.Context(), Message{To: To("u@d")}); !errors.Is(err, errClosed) {
				t.Errorf("Send after Quit: %v", err)
			}
		})
	}
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "nobody"), Options{}); err == nil {
		t.Error("connected to a socket that is not there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, "127.0.0.1:1", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial with an ended context: %v", err)
	}
}

// TestServerGoesWhileIdle: what a server said before it closed an idle connection is the answer
// to the next command, though that cannot be written any more.
func TestServerGoesWhileIdle(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	played := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = <-script{text: lhlo + "S: 421 4.4.2 idle for too long\nX"}.play(conn)
		}
		played <- err
	}()
	c, err := Dial(t.Context(), l.Addr().String(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), Message{To: To("u1@d", "u2@d")})
	if !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "421 4.4.2") {
		t.Errorf("Send: %v", err)
	}
	for _, o := range r.Recipients {
		if o.Final.Code != 421 || !o.Temporary() {
			t.Errorf("outcome %+v", o)
		}
	}
}

func TestHello(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		options      Options
		want         Extensions
		text         string
	}{
		{"extensions", lhlo + "X", Options{},
			Extensions{"PIPELINING": "", "ENHANCEDSTATUSCODES": "", "8BITMIME": "", "SMTPUTF8": "", "SIZE": "1000"}, ""},
		{"any letter case, odd lines", "S: 220-x\nS: 220 y\nC: EHLO me.example\nS: 250-x\nS: 250-pipelining\nS: 250-Limits " +
			"RCPTMAX=1 X=2\nS: 250-AUTH=LOGIN\nS: 250- SIZE\nS: 250 -x\nX",
			Options{Protocol: ESMTP, Hello: "me.example"}, Extensions{"PIPELINING": "", "LIMITS": "RCPTMAX=1 X=2"}, ""},
		{"greeting refuses", "S: 421 4.3.2 too many\nX", Options{}, nil, "greeting: server replied 421 4.3.2 too many"},
		{"greeting of another code", "S: 250 ok\nX", Options{}, nil, "greeting: server replied 250"},
		{"hello refused", "S: 220 x\nC: LHLO localhost\nS: 500 5.5.1 say EHLO\nX", Options{}, nil,
			"LHLO: server replied 500 5.5.1 say EHLO"},
		{"name with a line end", "S: 220 x\nX", Options{Hello: "x\r\nQUIT"}, nil, "name for the hello"},
		{"name with a space", "S: 220 x\nX", Options{Hello: "x y"}, nil, "name for the hello"},
		{"name in U-labels", "S: 220 x\nC: LHLO xn--bcher-kva.example\nS: 250-x\nS: 250 PIPELINING\nX",
			Options{Hello: "bücher.example"}, Extensions{"PIPELINING": ""}, ""},
		{"name in capitals", "S: 220 x\nC: LHLO Me.EXAMPLE\nS: 250-x\nS: 250 PIPELINING\nX", Options{Hello: "Me.EXAMPLE"},
			Extensions{"PIPELINING": ""}, ""},
		{"address literal", "S: 220 x\nC: LHLO [IPv6:::1]\nS: 250-x\nS: 250 PIPELINING\nX", Options{Hello: "[IPv6:::1]"},
			Extensions{"PIPELINING": ""}, ""},
		{"closes", "S: 220 x\nX", Options{}, nil, "LHLO: connection closed by the server"},
		{"another protocol", "S: HTTP/1.1 400 Bad Request\nX", Options{}, nil, "greeting: reply line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			done := script{text: tt.script}.play(theirs)
			c, err := New(t.Context(), ours, tt.options)
			if (tt.text == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("error %v, want %q", err, tt.text)
			}
			if err != nil {
				if _, err := ours.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("connection left open: %v", err)
				}
			} else if d := cmp.Diff(tt.want, c.Extensions()); d != "" {
				t.Error(d)
			} else if !c.Extensions().Has("Pipelining") || c.Extensions().Param("limits") != tt.want["LIMITS"] {
				t.Error("keywords are not case-insensitive")
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
