package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
)

// own is a schema as an administrator would write it for a directory of their own.
var own = ldap.Schema{
	Filters: ldap.Filters{
		UserFilter:  "(&(objectClass=mailUser)(!(mail=@*))(mail={local}@{domain}))",
		AliasFilter: "(&(objectClass=mailAlias)(mail={address}))",
	},
	Attributes: ldap.Attributes{
		Address: "MAIL", Target: "mailForwardingAddress", Home: "homeDirectory", Mailbox: "mailMessageStore",
		Quota: "mailQuota", UID: "ownerUid", GID: "ownerGid", Status: "accountStatus",
	},
	Active: "active",
}

func options(s *ldaptest.Server, schema ldap.Schema) ldap.Options {
	return ldap.Options{
		URLs: []string{s.URL}, BindDN: ldaptest.BindDN, Password: func() (string, error) { return ldaptest.Password, nil },
		Base: ldaptest.Base, Schema: schema, Key: directorytest.Key, Connections: 4,
	}
}

func open(t *testing.T, o ldap.Options) *ldap.Directory {
	t.Helper()
	d, err := ldap.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestConformance(t *testing.T) {
	for name, schema := range map[string]ldap.Schema{"iRedMail": ldap.IRedMail, "own": own} {
		t.Run(name, func(t *testing.T) {
			var s *ldaptest.Server
			directorytest.Suite{
				Aliases: true, Lists: name != "own", Domains: name != "own", CatchAlls: name != "own",
				Owners: name == "own", Mailboxes: name == "own",
				Open: func(t *testing.T, w directorytest.World) directory.Directory {
					s = ldaptest.Start(t, ldaptest.IRedMail(w, ""))
					return open(t, options(s, schema))
				},
				Stop: func(*testing.T) (start func()) {
					s.Stop()
					return s.Resume
				},
			}.Run(t)
		})
	}
}

// TestListPages: all accounts, of several pages, from a server that gives no more than a hundred entries without pages;
// the list needs iterate_filter, which has no placeholder.
func TestListPages(t *testing.T) {
	const all = 450
	w := directorytest.World{
		Domains: []string{"dst.example"}, CatchAlls: map[string]string{"dst.example": "u0@dst.example"},
	}
	for n := range all {
		w.Accounts = append(w.Accounts, directorytest.Account{Address: fmt.Sprintf("u%d@dst.example", n)})
	}
	s := ldaptest.Start(t, ldaptest.IRedMail(w, ""))
	mine := own
	mine.IterateFilter = "(&(objectClass=mailUser)(!(mail=@*)))"
	for name, schema := range map[string]ldap.Schema{"iRedMail": ldap.IRedMail, "own": mine} {
		listed := map[directory.Key]bool{}
		for a, err := range open(t, options(s, schema)).Accounts(t.Context()) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			listed[a.Key] = true
		}
		if len(listed) != all {
			t.Errorf("%s: %d accounts, want %d", name, len(listed), all)
		}
	}
	for a, err := range open(t, options(s, own)).Accounts(t.Context()) {
		if a != nil || !errors.Is(err, directory.ErrNotListed) {
			t.Errorf("without a filter: %+v, %v", a, err)
		}
	}
	d := open(t, options(s, mine))
	s.Stop()
	for a, err := range d.Accounts(t.Context()) {
		if a != nil || err == nil || errors.Is(err, directory.ErrNotListed) {
			t.Errorf("without a server: %+v, %v", a, err)
		}
	}
	for _, bad := range []string{"(mail={address})", "(mail=", "mail"} {
		mine.IterateFilter = bad
		if _, err := ldap.Open(options(s, mine)); err == nil {
			t.Errorf("%s is taken for a filter of all accounts", bad)
		}
	}
}

// find looks an address up.
func find(t *testing.T, d *ldap.Directory, who string) (directory.Entry, error) {
	t.Helper()
	key, err := directorytest.Key(who)
	if err != nil {
		t.Fatal(err)
	}
	return d.Lookup(t.Context(), key)
}

// TestEntries: what makes no sense in an entry is its own account's loss, and named with it.
func TestEntries(t *testing.T) {
	homeless := func(address string, attributes ...string) string {
		return ldaptest.Entry("mailUser", "mail", address,
			append([]string{"accountStatus", "active", "enabledService", "mail", "enabledService", "deliver",
				"enabledService", "lmtp", "enabledService", "shadowaddress"}, attributes...)...)
	}
	user := func(address string, attributes ...string) string {
		return homeless(address, append(attributes, "homeDirectory", "/var/vmail/vmail1/x.example/"+address+"/")...)
	}
	s := ldaptest.Start(t, strings.Join([]string{
		homeless("good@x.example", "homeDirectory", "/var/vmail/vmail1/x.example/g/O/O/Good-2026/", "mailQuota", "1048576",
			"storageBaseDirectory", "/var/old", "mailMessageStore", "x.example/old"),
		user("folder@x.example", "mailboxFolder", "Mail", "mailboxFormat", "Maildir"),
		user("mdbox@x.example", "mailboxFormat", "mdbox"),
		ldaptest.Entry("mailUser", "mail", "offmdbox@x.example", "accountStatus", "disabled", "mailboxFormat", "mdbox"),
		user("suspended@x.example", "domainStatus", "disabled"),
		user("shadow@x.example", "shadowAddress", "other@x.example", "shadowAddress", "Dot.Less@y.example"),
		ldaptest.Entry("mailUser", "mail", "unshadowed@x.example", "accountStatus", "active", "enabledService", "mail",
			"enabledService", "lmtp", "shadowAddress", "hidden@x.example"),
		user("negative@x.example", "mailQuota", "-1"),
		user("huge@x.example", "mailQuota", "99999999999999999999"),
		user("words@x.example", "mailQuota", "5GB"),
		homeless("relative@x.example", "homeDirectory", "home/relative"),
		user("away@x.example", "mailboxFolder", "../../etc"),
		homeless("homeless@x.example", "mailMessageStore", "x"),
		user("one@x.example", "shadowAddress", "twice@x.example"),
		user("two@x.example", "shadowAddress", "twice@x.example"),
		user("space d@x.example"),
		ldaptest.Entry("mailUser", "mail", "noservice@x.example", "accountStatus", "active", "enabledService", "mail"),
		ldaptest.Entry("mailUser", "mail", "lda@x.example", "accountStatus", "active", "enabledService", "mail",
			"enabledService", "deliver", "enabledService", "lda", "homeDirectory", "/var/vmail/lda"),
		ldaptest.Entry("mailUser", "mail", "undelivered@x.example", "accountStatus", "active", "enabledService", "mail",
			"enabledService", "lmtp"),
		ldaptest.Entry("mailUser", "mail", "nomail@x.example", "accountStatus", "active", "enabledService", "lmtp"),
		ldaptest.Entry("mailUser", "mail", "nostatus@x.example", "enabledService", "mail", "enabledService", "deliver"),
		ldaptest.Entry("mailAlias", "mail", "empty@x.example", "accountStatus", "active", "enabledService", "mail",
			"enabledService", "deliver"),
		ldaptest.Entry("mailAlias", "mail", "offalias@x.example", "accountStatus", "disabled", "enabledService", "mail",
			"enabledService", "deliver", "mailForwardingAddress", "good@x.example"),
		ldaptest.Entry("mailDomain", "domainName", "backup.example", "accountStatus", "active", "enabledService", "mail",
			"domainBackupMX", "yes"),
		ldaptest.Entry("mailDomain", "domainName", "off.example", "accountStatus", "disabled", "enabledService", "mail"),
	}, ""))
	d := open(t, options(s, ldap.IRedMail))
	for who, mailbox := range map[string]string{
		"good":   "/var/vmail/vmail1/x.example/g/o/o/good-2026/Maildir",
		"folder": "/var/vmail/vmail1/x.example/folder@x.example/Mail",
		"lda":    "/var/vmail/lda/Maildir",
	} {
		if entry, err := find(t, d, who+"@x.example"); err != nil || entry.Account.Disabled != "" ||
			entry.Account.Mailbox != mailbox || who == "good" && entry.Account.Quota.Bytes != 1<<20 {
			t.Errorf("%s: %+v, %v", who, entry.Account, err)
		}
	}
	for _, who := range []string{"other@x.example", "dot.less@Y.example", "SHADOW@x.example"} {
		if entry, err := find(t, d, who); err != nil || entry.Account.Address != "shadow@x.example" {
			t.Errorf("%s: %+v, %v", who, entry.Account, err)
		}
	}
	for _, who := range []string{"negative", "huge", "words", "relative", "away", "homeless", "mdbox", "twice",
		"empty"} {
		who += "@x.example"
		if entry, err := find(t, d, who); err == nil || errors.Is(err, directory.ErrNotFound) ||
			!strings.Contains(err.Error(), who) {
			t.Errorf("%s: %+v, %v", who, entry, err)
		}
	}
	for _, who := range []string{"noservice", "undelivered", "nomail", "nostatus", "offmdbox"} {
		if entry, err := find(t, d, who+"@x.example"); err != nil || entry.Account.Disabled != "reject" {
			t.Errorf("%s: %+v, %v", who, entry.Account, err)
		}
	}
	for _, who := range []string{"hidden", "offalias", "space", "doorstep", "suspended"} {
		if entry, err := find(t, d, who+"@x.example"); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %+v, %v", who, entry, err)
		}
	}
	for _, name := range []string{"backup.example", "off.example"} {
		if domain, err := d.Domain(t.Context(), name); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, domain, err)
		}
	}
}

// TestSeveralAddresses: the values of an attribute have no order, and mail does not go where the first of them happens
// to lead: an account with several addresses has one home or mailbox, or it waits.
func TestSeveralAddresses(t *testing.T) {
	user := func(attributes ...string) string {
		return ldaptest.Entry("mailUser", "mail", attributes[0], append(attributes[1:], "accountStatus", "active")...)
	}
	s := ldaptest.Start(t, user("one@x.example")+
		user("b@x.example", "mail", "a@x.example")+
		user("home@x.example", "mail", "house@x.example", "homeDirectory", "/home/h")+
		user("boxes@x.example", "enabledService", "/srv/b", "enabledService", "/srv/a")+
		user("box@x.example", "mail", "case@x.example", "enabledService", "/srv/box"))
	schema := own
	schema.Mailbox = "enabledService" // has several values, unlike the attributes that are meant for it
	d := open(t, options(s, schema))
	for who, wantErr := range map[string]bool{
		"one": false, "a": true, "b": true, "home": false, "house": false, "box": false, "case": false, "boxes": true,
	} {
		entry, err := find(t, d, who+"@x.example")
		if wantErr != (err != nil) || errors.Is(err, directory.ErrNotFound) ||
			err != nil && !strings.Contains(err.Error(), "several values") {
			t.Errorf("%s: %+v, %v", who, entry, err)
		}
	}
}

// TestConnections: by each way there is, and what is wrong with one is said.
func TestConnections(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.IRedMail(directorytest.Standard, ""))
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	known := &tls.Config{RootCAs: pool}
	for name, tt := range map[string]struct {
		change func(o *ldap.Options)
		says   string // "" where it works
	}{
		"plain":               {func(*ldap.Options) {}, ""},
		"socket":              {func(o *ldap.Options) { o.URLs, o.StartTLS = []string{s.Socket}, true }, ""},
		"ldaps":               {func(o *ldap.Options) { o.URLs, o.TLS = []string{s.TLSURL}, known }, ""},
		"StartTLS":            {func(o *ldap.Options) { o.StartTLS, o.TLS = true, known }, ""},
		"the second server":   {func(o *ldap.Options) { o.URLs = []string{"ldap://127.0.0.1:1", s.URL} }, ""},
		"unknown authority":   {func(o *ldap.Options) { o.URLs = []string{s.TLSURL} }, "certificate"},
		"unknown by StartTLS": {func(o *ldap.Options) { o.StartTLS = true }, "certificate"},
		"another name": {func(o *ldap.Options) {
			o.URLs[0], o.StartTLS, o.TLS = strings.Replace(s.URL, "localhost", "127.0.0.1", 1), true, known
		}, "127.0.0.1"},
		"wrong password": {func(o *ldap.Options) { o.Password = func() (string, error) { return "no", nil } },
			ldaptest.BindDN},
		"no password": {func(o *ldap.Options) { o.Password = func() (string, error) { return "", nil } },
			"password is empty"},
		"unreadable password": {func(o *ldap.Options) {
			o.Password = func() (string,
				error) {
				return "", os.ErrPermission
			}
		}, "permission"},
		// who sees nothing, not even that it is there
		"nobody":       {func(o *ldap.Options) { o.BindDN = "" }, ldaptest.Base},
		"no such base": {func(o *ldap.Options) { o.Base = "o=nowhere,dc=mail" }, "o=nowhere"},
		"TLS to a plain port": {func(o *ldap.Options) {
			o.URLs, o.TLS = []string{strings.Replace(s.URL, "ldap:", "ldaps:",
				1)}, known
		}, "ldaps://"},
		"nobody listens": {func(o *ldap.Options) { o.URLs = []string{"ldap://127.0.0.1:1"} }, "refused"},
		"no socket":      {func(o *ldap.Options) { o.URLs = []string{"ldapi:///nowhere"} }, "no such file"},
		"plain to a TLS port": {func(o *ldap.Options) { o.URLs = []string{strings.Replace(s.TLSURL, "ldaps:", "ldap:", 1)} },
			"ldap://"},
		"a base that is none": {func(o *ldap.Options) { o.Base = "nonsense" }, "nonsense"},
		"an unknown attribute": {func(o *ldap.Options) {
			o.Schema = own
			o.Schema.UserFilter = "(&(nonsense=x)(mail={address}))"
		}, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(s, ldap.IRedMail)
			tt.change(&o)
			entry, err := find(t, open(t, o), "alice@dst.example")
			switch {
			case tt.says == "" && (err != nil || entry.Account == nil):
				t.Errorf("%+v, %v", entry, err)
			case tt.says == "not found":
				if !errors.Is(err, directory.ErrNotFound) {
					t.Errorf("%+v, %v", entry, err)
				}
			case tt.says != "" && (err == nil || errors.Is(err, directory.ErrNotFound) ||
				!strings.Contains(err.Error(), tt.says)):
				t.Errorf("%+v, %v; want an error with %q", entry, err, tt.says)
			}
		})
	}
}

// TestStartTLSIsNotStripped: where a server, or a machine on the way, says that there is no StartTLS, or
// says yes and speaks none, there is an error, and neither a name nor a password goes out.
func TestStartTLSIsNotStripped(t *testing.T) {
	for what, result := range map[string]byte{"protocolError": 2, "unavailable": 52, "success, and then no TLS": 0} {
		t.Run(what, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			heard := make(chan []byte, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return // the test says so
				}
				defer conn.Close()
				asked := make([]byte, 256)
				n, _ := conn.Read(asked) // ends by the close below, if not before
				// ExtendedResponse (RFC 4511 §4.12) to message 1, with no more than the result.
				_, _ = conn.Write([]byte{0x30, 12, 2, 1, 1, 0x78, 7, 0x0a, 1, result, 4, 0, 4, 0})
				if result == 0 {
					_, _ = conn.Write([]byte("no TLS at all"))
				}
				rest, _ := io.ReadAll(conn)
				heard <- append(asked[:n], rest...)
			}()
			o := options(&ldaptest.Server{URL: "ldap://" + listener.Addr().String()}, ldap.IRedMail)
			o.StartTLS = true
			d := open(t, o)
			if entry, err := find(t, d, "alice@dst.example"); err == nil || errors.Is(err, directory.ErrNotFound) {
				t.Errorf("%+v, %v", entry, err)
			}
			got := string(<-heard)
			if !strings.Contains(got, "1.3.6.1.4.1.1466.20037") || strings.Contains(got, ldaptest.Password) ||
				strings.Contains(got, ldaptest.BindDN) {
				t.Errorf("sent %q", got)
			}
		})
	}
}

// TestBadOptions are refused before any question.
func TestBadOptions(t *testing.T) {
	for what, change := range map[string]func(o *ldap.Options){
		"no server":     func(o *ldap.Options) { o.URLs = nil },
		"no URL":        func(o *ldap.Options) { o.URLs = []string{"127.0.0.1:389"} },
		"another URL":   func(o *ldap.Options) { o.URLs = []string{"http://127.0.0.1"} },
		"a path":        func(o *ldap.Options) { o.URLs = []string{"ldap://127.0.0.1/dc=mail"} },
		"no socket":     func(o *ldap.Options) { o.URLs = []string{"ldapi://"} },
		"half a filter": func(o *ldap.Options) { o.Schema.UserFilter = "(mail={address}" },
		"no filter":     func(o *ldap.Options) { o.Schema.UserFilter = "mail" },
		"a typo":        func(o *ldap.Options) { o.Schema.UserFilter = "(|(mail={adress})(uid={local}))" },
		"for everybody": func(o *ldap.Options) { o.Schema.UserFilter = "(mail=*)" },
	} {
		o := ldap.Options{URLs: []string{"ldap://127.0.0.1"}, Schema: ldap.IRedMail, Key: directorytest.Key}
		change(&o)
		if _, err := ldap.Open(o); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// TestServerHangs: a server that does not answer, and one that takes no connection any more, cost
// each question its time and no more; when it is back, so are the answers.
func TestServerHangs(t *testing.T) {
	s := ldaptest.Start(t, ldaptest.IRedMail(directorytest.Standard, ""))
	o := options(s, ldap.IRedMail)
	o.Timeout, o.Connections = 200*time.Millisecond, 1
	d := open(t, o)
	if _, err := find(t, d, "alice@dst.example"); err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	for range 3 { // on the connection there is, and on new ones
		if entry, err := find(t, d, "alice@dst.example"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("frozen: %+v, %v", entry, err)
		}
	}
	s.Thaw()
	if entry, err := find(t, d, "alice@dst.example"); err != nil || entry.Account == nil {
		t.Errorf("thawed: %+v, %v", entry, err)
	}

	o.Timeout = time.Minute
	d = open(t, o)
	s.Freeze()
	defer s.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Lookup(ctx, directory.Key{Local: "alice", Domain: "dst.example"}); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("the caller has no more time: %v", err)
	}
}

// TestNonsense: a server that speaks no LDAP is one that is down.
func TestNonsense(t *testing.T) {
	for _, says := range []string{"220 mail ESMTP\r\n", "", "\x30\x84\x7f\xff\xff\xff\x02\x01\x01",
		"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", strings.Repeat("\x30\x80", 1000)} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(says))
				_ = conn.Close()
			}
		}()
		d := open(t, ldap.Options{URLs: []string{"ldap://" + l.Addr().String()}, Base: "dc=x", Schema: ldap.IRedMail,
			Key: directorytest.Key, Timeout: 5 * time.Second})
		if entry, err := find(t, d, "alice@dst.example"); err == nil || errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%q: %+v, %v", says, entry, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClosed: a directory that was closed answers no more.
func TestClosed(t *testing.T) {
	d := open(t, ldap.Options{URLs: []string{"ldap://127.0.0.1:1"}, Schema: ldap.IRedMail, Key: directorytest.Key})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := find(t, d, "alice@dst.example"); err == nil || errors.Is(err, directory.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
