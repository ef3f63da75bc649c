package crash

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestHangs stops the program behind a file system of FUSE: every call on it hangs, look-ups and opens too, as on NFS
// whose server has gone. Recipients on it get 451 in seconds, and at once when it is known; those elsewhere are
// delivered to, in the same message and with large content too; threads stay bounded; it is seen where people look;
// mail goes in again when the program goes on; and the server can be stopped meanwhile.
func TestHangs(t *testing.T) {
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	store := powercut.NewLoopback(t)
	hung, well := filepath.Join(store.Dir, "mail"), filepath.Join(ownDir(t), "mail")
	s := openSites(t, hung, well, "[admin]\naddress = \"unix:admin\"\n")
	p := s.start(t)
	if codes := one(t, s, messageID{-1, 0}, 0, 1); !slices.Equal(codes, []int{250, 250}) {
		t.Fatalf("replies %v", codes)
	}
	store.Stop(t)

	stuck, healthy := s.sendBeside(t, 100)
	began := time.Now()
	for _, id := range []messageID{{-4, 0}, huge()} {
		if codes := one(t, s, id, 0, 1, 2, 3); !slices.Equal(codes, []int{451, 250, 451, 250}) {
			t.Errorf("%d octets: replies %v", len(id.text()), codes)
		}
	}
	stuck.wg.Wait()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("those on the hung file system were told after %v", took)
	}
	if stuck.refused["451"] != 500 || len(stuck.acked) > 0 {
		t.Errorf("hung: %d acknowledged, refused %v", len(stuck.acked), stuck.refused)
	}
	if n := threads(t, p.Pid()); n > 400 {
		t.Errorf("the server has %d threads", n)
	} else {
		t.Logf("the server has %d threads", n)
	}
	began = time.Now()
	codes := one(t, s, messageID{-1, 1}, 0, 1)
	if took := time.Since(began); !slices.Equal(codes, []int{451, 250}) || took > 4*time.Second {
		t.Errorf("when it is known the replies are %v, after %v", codes, took)
	}
	if ready := s.ask(t, "/readyz"); !strings.Contains(ready, "file system "+store.Dir+" does not answer") {
		t.Errorf("readyz: %q", ready)
	}
	if metrics := s.ask(t, "/metrics"); !strings.Contains(metrics,
		fmt.Sprintf("doorstep_unresponsive{what=%q} 1", "file system "+store.Dir)) {
		t.Error("the metrics do not have it")
	}
	healthy.stop()
	if len(healthy.refused) > 0 {
		t.Errorf("elsewhere: refused %v", healthy.refused)
	}
	t.Logf("beside the hung: %d acknowledged", len(healthy.acked))

	store.Continue(t)
	s.awaitDelivery(t, 0, 2)
	store.Stop(t)
	stuck = newLoad(s)
	stuck.wg.Go(func() { stuck.only(t, messageID{-3, 0}, 0) })
	stuck.wg.Wait()
	began = time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(10 * time.Millisecond); !strings.Contains(p.Output(), "msg=stopped"); <-tick.C {
		if time.Since(began) > patience {
			t.Errorf("it does not stop:\n%.5000s", p.Output())
			break
		}
	}
	store.Continue(t) // the kernel lets no process end with a request that FUSE has begun
	stop(t, p)
	if f := look(t, well); len(f.torn) > 0 {
		t.Errorf("torn: %q", f.torn)
	} else {
		judge(t, "beside the hung", healthy.acked, f)
	}
}

// huge is a message that is too large for memory.
func huge() messageID {
	for id := (messageID{session: 2000}); ; id.n++ {
		if len(id.text()) > 130<<10 {
			return id
		}
	}
}

// ask asks the admin listener.
func (s *site) ask(t *testing.T, path string) string {
	t.Helper()
	admin := http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "admin"))
		},
	}}
	answer, err := admin.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// awaitDelivery sends messages until these users get one.
func (s *site) awaitDelivery(t *testing.T, to ...int) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n, end := 0, time.Now().Add(patience); ; n++ {
		codes := one(t, s, messageID{-2, n}, to...)
		if !slices.ContainsFunc(codes, func(code int) bool { return code != 250 }) {
			return
		}
		if <-tick.C; time.Now().After(end) {
			t.Fatalf("the replies are still %v", codes)
		}
	}
}
