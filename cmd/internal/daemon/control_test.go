package daemon

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// FuzzOrder gives orders of any form. Each is refused, or has one answer in JSON.
func FuzzOrder(f *testing.F) {
	for _, order := range []string{
		"forget alice@dst.example\n", "forget @dst.example\n", "forget \n", "forget", "\n", "forget @\xff\n", "quit\n",
		"forget \"a b\"@[192.0.2.1]\nreload\n",
	} {
		f.Add([]byte(order))
	}
	resolver := &route.Resolver{Domains: route.Domains{}, Directory: static.New()}
	f.Fuzz(func(t *testing.T, order []byte) {
		if bytes.HasPrefix(order, []byte("reload")) || bytes.HasPrefix(order, []byte("upgrade")) || len(order) > 2*maxOrder {
			t.Skip("an order to the whole program")
		}
		i := newInstances(guardtest.Log(t))
		i.now = &instance{agent: &delivery.Agent{Router: &route.Router{Resolver: resolver}}}
		ours, theirs := socketPair(t)
		if _, err := ours.Write(order); err != nil {
			t.Fatal(err)
		}
		if err := ours.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		refused := (&control{daemon: &daemon{instances: i}, log: i.log}).take(theirs)
		theirs.Close()
		answer, err := io.ReadAll(ours)
		switch {
		case err != nil && refused == nil:
			t.Errorf("%q: %v", order, err)
		case (refused == nil) != json.Valid(answer):
			t.Errorf("%q: %v, and the answer %q", order, refused, answer)
		}
	})
}

// socketPair returns the two ends of a Unix socket.
func socketPair(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends []*net.UnixConn
	for _, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		ends = append(ends, conn.(*net.UnixConn))
	}
	return ends[0], ends[1]
}
