package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// eximRoom is what Exim's lmtp transport has room for in the answer to LHLO: its octets, and one more for each line.
// It reads lines into a buffer of 256 octets, of which fgets(3) leaves one, and which a line takes up with its CRLF
// and again with the LF that is put in its place.
const eximRoom = 255

// TestEximRoomForLHLO: an answer that just fits is taken. Of one octet more doorstep check warns, and Exim defers
// all mail.
func TestEximRoomForLHLO(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4")
	const short, keys, more = "h.example", "mt_priority = true\nauth = [\"EXTERNAL\"]\n", "[limits]\ntransactions = 9\n" +
		"[submission]\nserver = \"tcp:127.0.0.1:25\"\noutbox = \"outbox\"\n"
	t.Run("a long host name", func(t *testing.T) {
		t.Parallel()
		longest := len(short) + eximRoom - openHost(t, short, keys, more).room(t)
		openHost(t, hostName(longest), keys, more).handOver(t, true)
		openHost(t, hostName(longest+1), keys, more).handOver(t, false)
	})
	// What trusted peers are offered is too long whatever the name. Others on the same socket do not hear of it.
	t.Run("trusted", func(t *testing.T) {
		t.Parallel()
		openHost(t, short, "trusted = [\"Debian-exim\"]\n", "").handOver(t, false)
	})
	t.Run("trusted Postfix", func(t *testing.T) {
		t.Parallel()
		openHost(t, short, "trusted = [\"postfix\"]\n", "").handOver(t, true)
	})
}

// hostName makes a name of n octets.
func hostName(n int) string {
	label := strings.Repeat("x", 49) + "."
	return strings.Repeat(label, 4)[:n-len("h.example")] + "h.example"
}

// A host is a running Doorstep with one account, on one socket.
type host struct{ dir, checked string }

func (h *host) socket() string { return filepath.Join(h.dir, "lmtp") }

// openHost starts one that names itself name, with keys in its [[listen]] and more after that.
func openHost(t *testing.T, name, keys, more string) *host {
	t.Helper()
	h := &host{dir: peer.MailDir(t)}
	mailUsersOwn(t, h.dir+"/mail")
	p := peer.StartDoorstep(t, h.dir, fmt.Sprintf("hostname = %q\n[[listen]]\naddress = \"unix:%s\"\nmode = \"0666\"\n%s"+
		"[store]\npath = \"%s/mail/{local}\"\n[[domain]]\nname = \"dst.example\"\n[[user]]\naddress = %q\n"+
		"aliases = [\"postmaster@dst.example\"]\n%s", name, h.socket(), keys, h.dir, goodA, more))
	peer.AwaitListener(t, p, "unix", h.socket())
	program, file := filepath.Join(h.dir, "doorstep"), filepath.Join(h.dir, "doorstep.toml")
	out, err := exec.Command(program, "check", "-c", file).CombinedOutput()
	if err != nil {
		t.Fatalf("check: %v: %s", err, out)
	}
	h.checked = string(out)
	return h
}

// room is what Exim needs for the answer to LHLO.
func (h *host) room(t *testing.T) (octets int) {
	t.Helper()
	nc, err := net.Dial("unix", h.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte("LHLO client.example\r\n")); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(nc); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "250-"):
			octets += len(line) + len("\r\n") + 1
		case strings.HasPrefix(line, "250 "):
			return octets + len(line) + len("\r\n") + 1
		}
	}
	t.Fatal("no answer to LHLO")
	return 0
}

// handOver has Exim hand a message over, and wants doorstep check to have foretold whether it can.
func (h *host) handOver(t *testing.T, fits bool) {
	t.Helper()
	if warned := strings.Contains(h.checked, "Exim"); warned == fits {
		t.Errorf("check says: %s", h.checked)
	}
	e := peer.StartExim(t, peer.EximConfig{Deliver: "unix:" + h.socket()})
	submit(t, e.Addr, "Subject: hello\r\n\r\nHello.\r\n", goodA)
	peer.Await(t, time.Minute, "an attempt", func() bool { return len(e.Deliveries()) > 0 })
	d := e.Deliveries()[0]
	if fits && d.Status != "sent" || !fits && !strings.Contains(d.Text, "Malformed LMTP response after LHLO") {
		t.Errorf("%+v", d)
	}
}
