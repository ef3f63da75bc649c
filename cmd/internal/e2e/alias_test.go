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
	dir, mail string
	state     string // the keys of [state]
	process   *peer.Process
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
		"[[listen]]\naddress = \"unix:lmtp\"\nmode = \"0666\"\n"+
		"[control]\nsocket = \"\"\n[state]\n%s"+
		"[store]\npath = \"%s/{local}/Maildir\"\n"+
		"[[domain]]\nname = \"dst.example\"\n", l.state, l.mail)
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
	peer.AwaitListener(t, l.process, "unix", filepath.Join(l.dir, "lmtp"))
}

// stateOnServer are the keys of [state] for a database that nodes share.
func stateOnServer(driver string, start func(testing.TB, ...string) *peer.Database) func(t *testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		db := start(t)
		db.Fill("state")
		return fmt.Sprintf("driver = %q\nhost = \"127.0.0.1\"\nport = %s\ndatabase = \"state\"\nuser = %q\n"+
			"password_file = %q\n", driver, db.Port, peer.DatabaseUser, db.PasswordFile)
	}
}

// copies counts the messages of each member.
func (l *list) copies(t *testing.T) (copies [listMembers]int) {
	t.Helper()
	for i := range copies {
		found, err := filepath.Glob(filepath.Join(l.mail, fmt.Sprintf("member%02d/Maildir/new/*", i)))
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
// and one is disabled for now, though the server is stopped and killed meanwhile, and though there are two that take
// turns.
func TestAliasOfFifty(t *testing.T) {
	t.Parallel()
	const broken, away = 7, 11
	inFile := func(*testing.T) string { return "path = \"state.db\"\n" }
	for _, tt := range []struct {
		name, mta string
		state     func(t *testing.T) string
		nodes     int
	}{
		{"postfix", "postfix", inFile, 1},
		{"exim", "exim4", inFile, 1},
		{"postfix, PostgreSQL", "postfix", stateOnServer("postgres", peer.StartPostgres), 2},
		{"postfix, MariaDB", "postfix", stateOnServer("mysql", peer.StartMariaDB), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.mta)
			mail := filepath.Join(peer.MailDir(t), "mail")
			maildir := filepath.Join(mail, fmt.Sprintf("member%02d", broken), "Maildir")
			if err := errors.Join(os.MkdirAll(filepath.Dir(maildir), 0o755), os.WriteFile(maildir, nil, 0o644),
				os.Chown(mail, peer.MailUser, peer.MailUser),
				os.Chown(filepath.Dir(maildir), peer.MailUser, peer.MailUser)); err != nil {
				t.Fatal(err)
			}
			disabled, state := fmt.Sprintf("member%02d@dst.example", away), tt.state(t)
			var nodes []*list
			for range tt.nodes {
				l := &list{dir: peer.MailDir(t), mail: mail, state: state}
				l.start(t, disabled)
				nodes = append(nodes, l)
			}
			first, socket := nodes[0], filepath.Join(nodes[0].dir, "front")
			// serve has the node that takes the next connection.
			serve := func(attempt int) {
				next := filepath.Join(nodes[attempt%len(nodes)].dir, "lmtp")
				if err := errors.Join(os.Symlink(next, socket+".new"), os.Rename(socket+".new", socket)); err != nil {
					t.Fatal(err)
				}
			}
			serve(1)
			mta, addr, again := attemptingMTA(t, tt.mta, socket)
			submit(t, addr, corpus.Messages()[0].Content, listAddress)
			for attempt := 1; attempt <= 6; attempt++ {
				peer.Await(t, time.Minute, fmt.Sprintf("attempt %d", attempt),
					func() bool { return count(mta.Deliveries(), listAddress) >= attempt })
				for i, n := range first.copies(t) {
					want := 1
					if i == broken || i == away {
						want = 0
					}
					if n != want {
						t.Fatalf("attempt %d: member%02d has %d copies, want %d\n%s", attempt, i, n, want, first.process.Output())
					}
				}
				switch attempt {
				case 2:
					first.process.Stop()
					first.start(t, disabled)
				case 4:
					if err := first.process.Signal(syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
					_ = first.process.Err()
					first.start(t, disabled)
				}
				serve(attempt + 1)
				again()
			}
			if err := os.Remove(maildir); err != nil {
				t.Fatal(err)
			}
			for _, l := range nodes {
				l.process.Stop()
				l.start(t, "")
			}
			again()
			mta.AwaitIdle(time.Minute)
			for i, n := range first.copies(t) {
				if n != 1 {
					t.Errorf("member%02d has %d copies\n%s", i, n, first.process.Output())
				}
			}
		})
	}
}

// attemptingMTA starts an MTA that delivers to a socket. again has it try at once what it has, unless it tries often by
// itself.
func attemptingMTA(t *testing.T, name, socket string) (mta attempting, addr string, again func()) {
	t.Helper()
	if name == "postfix" {
		p := peer.StartPostfix(t, peer.PostfixConfig{
			Deliver: "lmtp:unix:" + socket, Domains: []string{"dst.example", "src.example"}})
		return p, p.Addr, p.Flush
	}
	e := peer.StartExim(t, peer.EximConfig{Deliver: "unix:" + socket, Transport: []string{"delivery_date_add"}})
	return e, e.Addr, func() {}
}
