package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestLDAPDiesUnderLoad: slapd is killed and comes back, twice, while many deliver. Mail for an account
// that cannot be looked up is deferred, and none is refused; what was answered with 250 is there, once;
// and mail goes on without a restart.
func TestLDAPDiesUnderLoad(t *testing.T) {
	dir := peer.MailDir(t)
	store, listener := filepath.Join(dir, "mail"), "unix:"+filepath.Join(dir, "lmtp")
	slapd := ldaptest.Start(t, ldaptest.IRedMail(directorytest.Standard, store))
	password := filepath.Join(dir, "password")
	err := errors.Join(os.Mkdir(store, 0o700), os.Chown(store, peer.MailUser, peer.MailUser),
		os.WriteFile(password, []byte(ldaptest.Password), 0o600), os.Chown(password, peer.MailUser, peer.MailUser))
	if err != nil {
		t.Fatal(err)
	}
	p := peer.StartDoorstep(t, dir, strings.Join([]string{
		`postmaster = "alice@dst.example"`,
		"[[listen]]", `address = "` + listener + `"`,
		"[store]", `path = "` + store + `/{domain}/{local}"`, `durability = "none"`,
		"[[directory]]", `driver = "ldap"`, `servers = ["` + slapd.URL + `"]`, `base = "` + ldaptest.Base + `"`,
		`schema = "iredmail"`,
		`bind_dn = "` + ldaptest.BindDN + `"`, `password_file = "` + password + `"`,
		`cache_ttl = "0s"`, `negative_ttl = "0s"`, `timeout = "1s"`, "max_connections = 4",
	}, "\n"))
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(listener, "unix:"))

	to := []string{"alice@dst.example", "o'hara@dst.example", "josé@dst.example", "sales@dst.example",
		"nobody@dst.example"}
	var stop atomic.Bool
	var delivered, deferred atomic.Int64
	progress := make(chan struct{}, 1)
	var sessions sync.WaitGroup
	for range 8 {
		sessions.Go(func() {
			for !stop.Load() {
				c, err := client.Dial(t.Context(), listener, client.Options{})
				if err != nil {
					t.Error(err)
					return
				}
				r, err := c.Send(t.Context(), client.Message{To: client.To(to...), Content: strings.NewReader("Subject: x\n\nx\n"),
					UTF8: client.UTF8Always})
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range r.Recipients {
					switch code := o.Final.Code; {
					case o.Delivered():
						delivered.Add(1)
					case code == 451:
						deferred.Add(1)
					case code != 550 || o.To != "nobody@dst.example":
						t.Errorf("%s: %s", o.To, o.Final)
					}
				}
				if err := c.Quit(t.Context()); err != nil {
					t.Error(err)
				}
				select {
				case progress <- struct{}{}:
				default:
				}
			}
		})
	}
	// until waits until something has been counted more often.
	until := func(count *atomic.Int64) {
		for least := count.Load() + 50; count.Load() < least && !t.Failed(); {
			<-progress
		}
	}
	until(&delivered)
	for range 2 {
		slapd.Stop()
		until(&deferred)
		slapd.Resume()
		until(&delivered)
	}
	stop.Store(true)
	sessions.Wait()
	files, err := filepath.Glob(filepath.Join(store, "*", "*", "Maildir", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	// alice and sales are one mailbox: one file, and two replies.
	sent, twice := int64(len(files)), 0
	alice, err := filepath.Glob(filepath.Join(store, "dst.example", "alice", "Maildir", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range alice {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(string(text), "\n\nx\n") {
			t.Errorf("%s is not whole", file)
		}
		twice++
	}
	what := fmt.Sprintf("%d delivered, %d deferred, %d files, %d of them alice's", delivered.Load(), deferred.Load(), sent,
		twice)
	t.Log(what)
	if delivered.Load() < sent || delivered.Load() > sent+int64(twice) {
		t.Error(what)
	}
}
