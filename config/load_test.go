package config_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// ours ignores what a Config keeps for itself.
var ours = cmp.Options{cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateComparable(netip.Prefix{})}

// load loads a configuration without problems.
func load(t *testing.T, path string) *config.Config {
	t.Helper()
	c, problems, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 0 {
		t.Fatalf("problems:\n%s", lines(path, problems))
	}
	return c
}

// write makes a configuration of files with these names and texts.
func write(t *testing.T, files map[string]string) (path string) {
	t.Helper()
	directory := t.TempDir()
	for name, text := range files {
		name = filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(directory, "doorstep.toml")
}

func mail(t *testing.T, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEverything(t *testing.T) {
	path := filepath.Join(testdata, "good", "everything.toml")
	here, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Server: config.Server{Hostname: "mail.xn--bcher-kva.example", Postmaster: mail(t, "admin@example.org")},
		Listen: []config.Listen{
			{
				Network: "unix", Address: here + "/lmtp.sock", Protocol: config.LMTP,
				Mode: 0o600, Owner: "doorstep", Group: "1000", Peers: []string{"postfix", "0"},
				TLS: config.TLSOff, Connections: 64, DSN: true, NormalizeBareLF: true, RefuseBareCR: true,
				TrustedUsers: []string{"postfix"}, Lenient8BitLocalPart: config.LenientToAll,
			},
			{
				Network: "tcp", Address: "[::1]:2525", Protocol: config.ESMTP,
				Connections: 2000,
				TrustedNets: []netip.Prefix{
					netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"),
					netip.MustParsePrefix("2001:db8::/32"),
				},
				ProxyProtocol: true, MTPriority: true,
				TLS: config.TLSRequired, RequireCertificate: true, RequireAuth: true,
				Auth: []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN"},
			},
			{
				Network: "tcp", Address: "[::1]:2526", Protocol: config.LMTP, TLS: config.TLSImplicit,
				Connections: 2000, Lenient8BitLocalPart: config.LenientToNone, DSN: true,
			},
		},
		TLS:  config.TLS{Certificate: here + "/cert.pem", Key: here + "/private/key.pem", ClientCA: here + "/clients.pem"},
		Auth: config.Auth{PasswdFile: here + "/users"},
		Limits: config.Limits{
			MessageSize: 1_000_000, Recipients: 100, Connections: 2000, ConnectionsPerPeer: 20, MinDataRate: 1000,
			Transactions:    100,
			TransferTimeout: 10 * time.Minute, DeliveriesPerMailbox: 8,
			IdleTimeout: 90 * time.Minute, DataTimeout: 90 * time.Second,
			TransactionTimeout: 60*time.Second + 500*time.Millisecond,
			Folders:            100, FolderLevels: 2, AliasTargets: 50, AliasDepth: 3,
		},
		Store: config.Store{
			Path: here + "/mail/{domain}-{local}", Durability: mailbox.Each, CRLF: true, Folders: mailbox.FolderUTF8,
			OriginalTo: true, User: "doorstep", Group: "mail", Owners: true, FirstUID: 1000, FirstGID: 100,
		},
		Quota: config.Quota{
			Reject: true, Grace: 0, CountTrash: true, WarnAt: []int{50, 90}, WarnCommand: []string{"/bin/true", "a b"},
			WarnURL: "http://127.0.0.1:8080/quota", WarnTimeout: 5 * time.Second,
		},
		State: config.State{
			Driver: config.StateNone, Path: here + "/state.db", Entries: 1000, Keep: 24 * time.Hour,
			Database: config.Database{Host: "localhost", TLS: config.DatabaseTLSOff},
		},
		Submission: config.Submission{
			Network: "tcp", Address: "mta.example.org:587", TLS: config.SubmissionStartTLS, CA: here + "/ca.pem",
			User: "doorstep", PasswordFile: here + "/submission.secret", Timeout: 10 * time.Second, Connections: 2,
			Outbox: here + "/outbox", Messages: 100, Octets: 1 << 20, Expire: 24 * time.Hour, Withdraw: 5 * time.Minute,
			Reports: config.Reports{
				From: "=?utf-8?q?B=C3=BCcher?= <post@xn--bcher-kva.example>", Header: 4 << 10, PerSender: 5,
			},
		},
		Accounts: config.Accounts{Domains: []config.Domain{{
			Name: "bücher.example", Aliases: []string{"example.org"},
			Keys:     []string{"xn--bcher-kva.example", "example.org"},
			CatchAll: mail(t, "admin@xn--bcher-kva.example"), Subaddress: "+-",
			Policy: address.LocalPolicy{NFKC: true}, Details: config.DetailsFolder,
		}},
			Users: []config.User{{
				Address: mail(t, "Admin@example.org"),
				Aliases: []address.Address{
					mail(t, "admin@example.org"), mail(t, "用户@bücher.example"), mail(t, `"a.b"@example.org`),
				},
				Quota: 2 << 30, QuotaMessages: 100_000, Disabled: "defer", Home: here + "/home/admin", Owner: "admin", GID: 100,
				OwnerSince: time.Date(2014, 4, 3, 21, 1, 0, 0, time.UTC),
			}}},
		Log:     config.Log{Level: slog.LevelDebug, Format: config.LogJSON},
		Control: config.Control{Socket: "/run/doorstep/control.sock"},
		Sandbox: config.Sandbox{Enabled: true},
	}
	got := load(t, path)
	if diff := cmp.Diff(want, got, ours); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if root := got.Store.Root(); root != here+"/mail" {
		t.Errorf("root of the store %q", root)
	}
}

func TestDefaultsApply(t *testing.T) {
	c := load(t, filepath.Join(testdata, "good", "minimal.toml"))
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Server: config.Server{Hostname: machine, Postmaster: mail(t, "postmaster@example.org")},
		Listen: []config.Listen{{
			Network: "unix", Address: "/run/doorstep/lmtp.sock", Protocol: config.LMTP, Mode: 0o660, TLS: config.TLSOff,
			Connections: 1000,
		}},
		Limits: config.Limits{
			MessageSize: 50 << 20, Recipients: 1000, Connections: 1000, ConnectionsPerPeer: 100, MinDataRate: 500,
			DeliveriesPerMailbox: 16, Folders: 100, FolderLevels: 2, AliasTargets: 1000, AliasDepth: 20,
			IdleTimeout: 5 * time.Minute, DataTimeout: 5 * time.Minute,
			TransferTimeout: time.Hour, TransactionTimeout: 8 * time.Minute,
		},
		Store: config.Store{
			Path: "/srv/mail/{domain}/{local}/Maildir", Durability: mailbox.Group, Folders: mailbox.FolderUTF7, Create: true,
			FirstUID: 500, FirstGID: 1,
		},
		Quota: config.Quota{Grace: 10 << 20, WarnAt: []int{80, 95}, WarnTimeout: 30 * time.Second},
		State: config.State{
			Driver: config.StateSQLite, Path: "/var/lib/doorstep/state.db", Entries: 1_000_000, Keep: 168 * time.Hour,
			Database: config.Database{Host: "localhost", TLS: config.DatabaseTLSOff},
		},
		Submission: config.Submission{
			TLS: config.SubmissionClear, Timeout: 30 * time.Second, Connections: 4, Outbox: "/var/lib/doorstep/outbox",
			Messages: 10_000, Octets: 128 << 20, Expire: 120 * time.Hour, Withdraw: 10 * time.Minute,
			Reports: config.Reports{
				From: "Mail Delivery System <postmaster@" + machine + ">", Header: 32 << 10, PerSender: 20,
			},
		},
		Accounts: config.Accounts{Domains: []config.Domain{{
			Name: "example.org", Keys: []string{"example.org"}, Subaddress: "+", Policy: address.LocalPolicy{Fold: true},
			Details: config.DetailsInbox,
		}},
			Users: []config.User{{Address: mail(t, "postmaster@example.org"), EAI: true}}},
		Log:     config.Log{Level: slog.LevelInfo, Format: config.LogText},
		Control: config.Control{Socket: "/run/doorstep/control.sock"},
		Sandbox: config.Sandbox{Enabled: true},
	}
	if diff := cmp.Diff(want, c, ours); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSpellingsMeanTheSame(t *testing.T) {
	c := load(t, filepath.Join(testdata, "good", "syntax.toml"))
	if c.Hostname != "mail.example.org" || c.Limits.Recipients != 100 || c.Limits.Connections != 16 ||
		c.Log != (config.Log{Level: slog.LevelWarn, Format: config.LogJSON}) ||
		c.Listen[0].Address != "/run/doorstep/lmtp.sock" || len(c.Listen[0].Peers) != 2 ||
		c.Store.Path != "/srv/mail/{domain}/{local}" || c.Domains[0].Subaddress != "#=" ||
		c.Users[0].Address.Raw != "postmaster@example.org" {
		t.Errorf("loaded %+v", c)
	}
}

func TestConfD(t *testing.T) {
	path := filepath.Join(testdata, "good", "confd", "doorstep.toml")
	here, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, path)
	if len(c.Listen) != 2 || c.Listen[0].Protocol != config.LMTP || c.Listen[1].Address != here+"/conf.d/esmtp.sock" {
		t.Errorf("listeners %+v", c.Listen)
	}
	if c.Store.Path != here+"/mail/{local}" || c.Store.Create {
		t.Errorf("store %+v", c.Store)
	}
	if len(c.Users) != 2 || c.Users[1].Address.Local != "alice" {
		t.Errorf("users %+v", c.Users)
	}
}

func TestPostmaster(t *testing.T) {
	const base = "hostname = \"mx.example.org\"\n[[listen]]\naddress = \"unix:/run/l\"\n"
	for name, tc := range map[string]struct{ text, want string }{
		"an alias of the first domain": {"[[domain]]\nname = \"a.example\"\n" +
			"[[user]]\naddress = \"u@a.example\"\naliases = [\"PostMaster@a.example\"]\n", "postmaster@a.example"},
		"the catch-all": {"[[domain]]\nname = \"a.example\"\ncatch_all = \"u@a.example\"\n" +
			"[[user]]\naddress = \"u@a.example\"\n", "u@a.example"},
		"in an alias domain": {"[[domain]]\nname = \"a.example\"\naliases = [\"b.example\"]\n" +
			"[[user]]\naddress = \"postmaster@b.example\"\n", "postmaster@a.example"},
	} {
		t.Run("PATH-02 "+name, func(t *testing.T) {
			c := load(t, write(t, map[string]string{"doorstep.toml": base + tc.text}))
			if c.Postmaster.Raw != tc.want {
				t.Errorf("postmaster %q, want %q", c.Postmaster.Raw, tc.want)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	directory := t.TempDir()
	for _, path := range []string{filepath.Join(directory, "missing.toml"), directory} {
		if _, _, err := config.Load(path); err == nil {
			t.Errorf("%s was loaded", path)
		}
	}
	huge := write(t, map[string]string{"doorstep.toml": strings.Repeat("#", 4<<20+1)})
	if _, _, err := config.Load(huge); err == nil || !strings.Contains(err.Error(), "larger than 4MiB") {
		t.Errorf("a huge file: %v", err)
	}
	// A directory of conf.d is a problem, not an end: the others are read all the same.
	path := write(t, map[string]string{
		"doorstep.toml": "hostname = 1\n", "conf.d/a.toml/b": "", "conf.d/b.toml": "hostnam = 1\n",
	})
	_, problems, err := config.Load(path)
	want := "doorstep.toml:1:12: hostname: must be a string, not a number (write it in quotes)\n" +
		"conf.d/a.toml: not a regular file\n" +
		"conf.d/b.toml:1:1: hostnam: unknown key (did you mean hostname?)\n"
	if diff := cmp.Diff(want, lines(path, problems)); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	path := write(t, map[string]string{"doorstep.toml": strings.Repeat("[[listen]]\nmode = 1\n", 5000)})
	_, problems, err := config.Load(path)
	if err != nil || len(problems) != 1000 {
		t.Errorf("%d problems, %v", len(problems), err)
	}
}
