package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
)

// A list is a running Doorstep with an alias of fifty, and what may be wrong with two of them.
type list struct {
	dir, socket string
	process     *peer.Process
}

const (
	listAddress = "all@dst.example"
	listMembers = 50
)

// start starts the server, or starts it again, with the member away disabled or not.
func (l *list) start(t *testing.T, away string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "hostname = \"store.example\"\npostmaster = \"member00@dst.example\"\n"+
		"[[listen]]\naddress = \"unix:%s\"\nmode = \"0666\"\n"+
		"[control]\nsocket = \"\"\n[state]\npath = \"state.db\"\n"+
		"[store]\npath = \"mail/{local}/Maildir\"\n"+
		"[[domain]]\nname = \"dst.example\"\n", l.socket)
	var members []string
	for i := range listMembers {
		address := fmt.Sprintf("member%02d@dst.example", i)
		members = append(members, fmt.Sprintf("%q", address))
		fmt.Fprintf(&b, "[[user]]\naddress = %q\n", address)
		if address == away {
			b.WriteString("disabled = \"defer\"\n")
		}
	}
	fmt.Fprintf(&b, "[[alias]]\naddress = %q\nto = [%s]\n", listAddress, strings.Join(members, ", "))
	l.process = peer.StartDoorstep(t, l.dir, b.String())
	t.Cleanup(l.process.Stop)
	peer.AwaitListener(t, l.process, "unix", l.socket)
}

// copies counts the messages of each member.
func (l *list) copies(t *testing.T) (copies [listMembers]int) {
	t.Helper()
	for i := range copies {
		found, err := filepath.Glob(filepath.Join(l.dir, "mail", fmt.Sprintf("member%02d/Maildir/new/*", i)))
		if err != nil {
			t.Fatal(err)
		}
		copies[i] = len(found)
	}
	return copies
}

// An attempting MTA has a queue.
type attempting interface {
	Deliveries() []peer.Delivery
	AwaitIdle(time.Duration)
}

// TestAliasOfFifty: each member of an alias has one copy, however often an MTA tries because one cannot be written to
// and one is disabled for now, and though the server is stopped and killed meanwhile.
func TestAliasOfFifty(t *testing.T) {
	t.Parallel()
	const broken, away = 7, 11
	for _, tt := range []struct {
		mta  string
		open func(t *testing.T, socket string) (mta attempting, addr string, again func())
	}{
		{"postfix", func(t *testing.T, socket string) (attempting, string, func()) {
			p := peer.StartPostfix(t, peer.PostfixConfig{
				Deliver: "lmtp:unix:" + socket, Domains: []string{"dst.example", "src.example"}})
			return p, p.Addr, p.Flush
		}},
		{"exim4", func(t *testing.T, socket string) (attempting, string, func()) {
			e := peer.StartExim(t, peer.EximConfig{Deliver: "unix:" + socket, Transport: []string{"delivery_date_add"}})
			return e, e.Addr, func() {} // it tries by itself
		}},
	} {
		t.Run(tt.mta, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.mta)
			dir := peer.MailDir(t)
			l := &list{dir: dir, socket: filepath.Join(dir, "lmtp")}
			maildir := filepath.Join(dir, "mail", fmt.Sprintf("member%02d", broken), "Maildir")
			if err := errors.Join(os.MkdirAll(filepath.Dir(maildir), 0o755), os.WriteFile(maildir, nil, 0o644),
				os.Chown(filepath.Join(dir, "mail"), peer.MailUser, peer.MailUser),
				os.Chown(filepath.Dir(maildir), peer.MailUser, peer.MailUser)); err != nil {
				t.Fatal(err)
			}
			disabled := fmt.Sprintf("member%02d@dst.example", away)
			l.start(t, disabled)
			mta, addr, again := tt.open(t, l.socket)
			submit(t, addr, corpus.Messages()[0].Content, listAddress)
			for attempt := 1; attempt <= 6; attempt++ {
				peer.Await(t, time.Minute, fmt.Sprintf("attempt %d", attempt),
					func() bool { return count(mta.Deliveries(), listAddress) >= attempt })
				for i, n := range l.copies(t) {
					want := 1
					if i == broken || i == away {
						want = 0
					}
					if n != want {
						t.Fatalf("attempt %d: member%02d has %d copies, want %d\n%s", attempt, i, n, want, l.process.Output())
					}
				}
				switch attempt {
				case 2:
					l.process.Stop()
					l.start(t, disabled)
				case 4:
					if err := l.process.Signal(syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
					_ = l.process.Err()
					l.start(t, disabled)
				}
				again()
			}
			if err := os.Remove(maildir); err != nil {
				t.Fatal(err)
			}
			l.process.Stop()
			l.start(t, "")
			again()
			mta.AwaitIdle(time.Minute)
			for i, n := range l.copies(t) {
				if n != 1 {
					t.Errorf("member%02d has %d copies\n%s", i, n, l.process.Output())
				}
			}
		})
	}
}
