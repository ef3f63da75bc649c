package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A slip is what a user gets wrong, and what must be said: what it is, where, and what to do.
type slip struct {
	name    string
	replace [2]string // in the configuration
	prepare func(t *testing.T, dir string)
	before  [][]string // commands that are right
	args    []string   // default: check
	what    string     // a pattern for what is wrong, with where it is
	code    int        // default: 2
}

func inConfig(name, old, new, what string) slip {
	return slip{name: name, replace: [2]string{old, new}, what: what}
}

func onTheLine(name, what string, args ...string) slip {
	return slip{name: name, args: args, what: what}
}

// onDatabase is a slip in a verb that looks after a database.
func onDatabase(name, what string, args ...string) slip {
	s := inConfig(name, "[store]", "[[directory]]\ndriver = \"sqlite\"\nfile = \"a.db\"\n[store]", what)
	s.args, s.code = append(args, "-c", "doorstep.toml"), cli.ExitFailure
	return s
}

// after has a command run first.
func (s slip) after(args ...string) slip {
	s.before = append(s.before, append(args, "-c", "doorstep.toml"))
	return s
}

const (
	domainTable = "[[domain]]\nname = \"example.org\""
	listenTable = "[[listen]]\naddress = \"unix:lmtp\""
)

func put(name, text string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

var serveHere = []string{"serve", "-c", "doorstep.toml"}

var mistakes = []slip{
	// Flags and verbs.
	onTheLine("unknown verb", `unknown verb "srve"`, "srve"),
	onTheLine("unknown flag", `serve: unknown flag: --confg`, "serve", "--confg", "x"),
	onTheLine("flag without value", `check: flag needs an argument`, "check", "-c"),
	onTheLine("too many arguments", `check: argument "x" is too many`, "check", "x"),
	onTheLine("no verb", `config: no verb given`, "config"),
	onTheLine("dev and config", `serve: --dev makes its own configuration`, "serve", "--dev", "-c", "x"),
	onTheLine("no address", `lookup: .*is missing`, "lookup"),
	onTheLine("no recipient", `send: no recipient`, "send"),
	onTheLine("no target", `send: .*nowhere`, "send", "--server", "nowhere", "--to", "a@example.org"),
	onTheLine("protocol", `send: --protocol "smpt" is not "lmtp" or "esmtp"`, "send", "--protocol", "smpt", "--to",
		"a@example.org"),
	onTheLine("number of messages", `send: --count 0 is out of range`, "send", "--count", "0", "--to", "a@example.org"),
	onTheLine("sessions of one", `send: --sessions goes with --count`, "send", "--sessions", "4", "--to", "a@example.org"),
	onTheLine("not a number", `send: --count "x" is not a whole number`, "send", "--count", "x", "--to", "a@example.org"),
	// Files.
	onTheLine("no configuration", `read configuration: open nothing.toml: no such file`, "check", "-c", "nothing.toml"),
	onTheLine("a directory", `read mail: is a directory`, "check", "-c", "mail"),
	{name: "no message", args: []string{"send", "--to", "a@example.org", "nothing.eml"}, what: `nothing.eml: no such file`,
		code: cli.ExitFailure},
	{name: "no server", args: []string{"send", "--server", "unix:nothing", "--wait", "0", "--to", "a@example.org"},
		what: `nothing: connect: no such file`, code: cli.ExitFailure},
	{name: "nobody answers", args: []string{"reload", "-c", "doorstep.toml"},
		what: `reload: no server answers: dial unix .*control`, code: cli.ExitFailure},
	// TOML.
	inConfig("no TOML", "hostname =", "hostname", `doorstep.toml:1:\d+: `),
	inConfig("unknown key", "hostname =", "hostnam =", `doorstep.toml:1:1: hostnam: unknown key`),
	inConfig("unknown table", "[store]", "[stroe]", `doorstep.toml:\d+:\d+: stroe: unknown key`),
	inConfig("key of another table", "[store]", "[limits]\ndurability = \"group\"\n[store]",
		`limits.durability: unknown key`),
	inConfig("not a table", "[[listen]]", "[listen]", `listen: must be an array`),
	inConfig("text without quotes", `hostname = "mail.example.org"`, `hostname = 5`,
		`doorstep.toml:1:12: hostname: must be a string`),
	inConfig("host name without a dot", `"mail.example.org"`, `"mail"`, `doorstep.toml:1:12: hostname: .*"mail"`),
	// Values.
	inConfig("durability", "[store]", "[store]\ndurability = \"gruop\"", `store.durability: "gruop" is not`),
	inConfig("number as text", "[store]", "[limits]\nrecipients = \"200\"\n[store]",
		`limits.recipients: must be a whole number`),
	inConfig("duration without a unit", "[store]", "[limits]\nidle_timeout = 300\n[store]",
		`limits.idle_timeout: must be a string with a unit`),
	inConfig("size in another unit", "[store]", "[limits]\nmessage_size = \"50MB\"\n[store]", `limits.message_size: `),
	inConfig("toggle in quotes", "[store]", "[store]\ncreate = \"yes\"", `store.create: must be true or false`),
	inConfig("path without a name", "{domain}/{local}/Maildir", "Maildir",
		`store.path: would give all accounts one Maildir`),
	inConfig("unknown placeholder", "{local}", "{user}", `store.path: .*user`),
	inConfig("home directory", `"mail/{domain}`, `"~/{domain}`, `store.path: `),
	// Listeners and ports.
	inConfig("no network", `"unix:lmtp"`, `"/run/lmtp"`, `listen\[0\].address: "/run/lmtp" says no network`),
	inConfig("no port", `"unix:lmtp"`, `"tcp:127.0.0.1"`, `listen\[0\].address: .*is not HOST:PORT`),
	inConfig("port out of range", `"unix:lmtp"`, `"tcp:127.0.0.1:99999"`, `listen\[0\].address: "99999" is not a port`),
	inConfig("LMTP on port 25", `"unix:lmtp"`, `"tcp:127.0.0.1:25"`, `listen\[0\].address: LMTP must not be on port 25`),
	inConfig("no host", `"unix:lmtp"`, `"tcp::2424"`, `listen\[0\].address: the host is missing`),
	inConfig("abstract socket", `"unix:lmtp"`, `"unix:@lmtp"`, `listen\[0\].address: abstract sockets`),
	inConfig("mode as a number", listenTable, listenTable+"\nmode = 660", `listen\[0\].mode: must be a mode in quotes`),
	inConfig("TLS without a certificate", `"unix:lmtp"`, "\"tcp:127.0.0.1:2525\"\ntls = \"starttls\"",
		`listen\[0\].tls: needs a certificate`),
	inConfig("PLAIN in the clear", `"unix:lmtp"`, "\"tcp:127.0.0.1:2525\"\nauth = [\"PLAIN\"]",
		`listen\[0\].auth\[0\]: PLAIN would`),
	inConfig("unknown mechanism", `"unix:lmtp"`, "\"unix:lmtp\"\nauth = [\"LOGIN\"]",
		`listen\[0\].auth\[0\]: "LOGIN" is not`),
	inConfig("proxy header of everybody", `"unix:lmtp"`, "\"unix:lmtp\"\nproxy_protocol = true",
		`listen\[0\].proxy_protocol: needs trusted`),
	inConfig("systemd without a name", `"unix:lmtp"`, `"systemd:"`, `listen\[0\].address: "" is not a name of sockets`),
	inConfig("mode of systemd's socket", `"unix:lmtp"`, "\"systemd:lmtp\"\nmode = \"0660\"",
		`listen\[0\].mode: is for the socket unit to say`),
	// Domains, users, databases.
	inConfig("no domain", domainTable, "", `domain: no \[\[domain\]\] table`),
	inConfig("address without a domain", `"bob@example.org"`, `"bob"`, `user\[1\].address: `),
	inConfig("address in another domain", `"bob@example.org"`, `"bob@example.com"`, `user\[1\].address: .*example.com`),
	inConfig("unknown driver", "[store]", "[[directory]]\ndriver = \"sqllite\"\n[store]",
		`directory\[0\].driver: "sqllite" is not`),
	inConfig("database without a file", "[store]", "[[directory]]\ndriver = \"passwd-file\"\n[store]",
		`directory\[0\].*file is missing`),
	inConfig("SQLite without a file", "[store]", "[[directory]]\ndriver = \"sqlite\"\n[store]",
		`directory\[0\].*file is missing.*\(write file = "/var/lib/doorstep/accounts.db"\)`),
	inConfig("an address twice", "[store]",
		"[[directory]]\ndriver = \"sqlite\"\nfile = \"a.db\"\nclaimed_twice = \"frist\"\n[store]",
		`directory\[0\].claimed_twice: "frist" is not "defer" or "first"`),
	// The verbs of the database.
	onTheLine("no database for domains", `domain add: the configuration has no \[\[directory\]\] with driver = "sqlite"`,
		"domain", "add", "-c", "doorstep.toml", "example.com"),
	onTheLine("no database for users", `user list: the configuration has no \[\[directory\]\] with driver = "sqlite"`,
		"user", "list", "-c", "doorstep.toml"),
	onTheLine("no database for aliases", `alias add: the configuration has no \[\[directory\]\] with driver = "sqlite"`,
		"alias", "add", "-c", "doorstep.toml", "a@example.org", "b@example.org"),
	onDatabase("database that is not made", `open .*a.db: no such file`, "user", "list"),
	onDatabase("no address to add", `"carol" is not an address`, "user", "add", "carol").after("domain", "add",
		"example.com"),
	onDatabase("address in brackets", `"<carol@example.com>" is not an address`, "user", "add",
		"<carol@example.com>").after("domain", "add", "example.com"),
	onDatabase("domain that is not there", `exmaple.com is not a domain of the database`, "user", "add",
		"carol@exmaple.com").after("domain", "add", "example.com"),
	onDatabase("list of another domain", `exmaple.com is not a domain of the database`, "alias", "list",
		"exmaple.com").after("domain", "add", "example.com"),
	onDatabase("address that the file has", `alice@example.org would be in users and sqlite, and its mail deferred`,
		"user", "add", "alice@example.org").after("domain", "add", "example.com"),
	onDatabase("alias that the file has", `alice@example.org would be in users and sqlite, and its mail deferred`, "alias",
		"add", "alice@example.org", "bob@example.org").after("domain", "add", "example.com"),
	onDatabase("home that is relative", `home "carol" is not an absolute path`, "user", "add", "carol@example.com",
		"--home", "carol").after("domain", "add", "example.com"),
	onDatabase("targets with commas", `"a@example.com,b@example.com" is not an address`, "alias", "add", "x@example.com",
		"a@example.com,b@example.com").after("domain", "add", "example.com"),
	onDatabase("address for a domain", `"carol@example.com" is not the name of a domain`, "domain", "add",
		"carol@example.com"),
	onDatabase("domain in use", `domain example.com is in use`, "domain", "del", "example.com").after("domain", "add",
		"example.com").after("user", "add", "carol@example.com"),
	onTheLine("unknown verb before a flag", `unknown verb "users"`, "users", "list", "-c", "doorstep.toml"),
	onTheLine("unknown verb of users", `user: unknown verb "remove"`, "user", "remove", "-c", "doorstep.toml",
		"alice@example.org"),
	// The machine: permissions, sockets, certificates.
	{name: "store that is not there", replace: [2]string{`"mail/`, `"elsewhere/`},
		what: `store.path: directory ".*elsewhere" does not exist`},
	{name: "socket in no directory", replace: [2]string{`"unix:lmtp"`, `"unix:run/lmtp"`}, args: serveHere,
		what: `run/lmtp: bind: no such file`, code: cli.ExitFailure},
	{name: "no socket in its place", prepare: put("lmtp", "mine", 0o600), args: serveHere,
		what: `listen on unix:.*lmtp: there is something that is not a socket`, code: cli.ExitFailure},
	{name: "socket taken", args: serveHere, code: cli.ExitFailure,
		what: `listen on unix:.*lmtp: a server is running there`, prepare: func(t *testing.T, dir string) {
			listenOn(t, "unix", filepath.Join(dir, "lmtp"))
		}},
	{name: "port taken", replace: [2]string{`"unix:lmtp"`, `"tcp:127.0.0.1:PORT"`}, args: serveHere, code: cli.ExitFailure,
		what: `bind: address already in use`},
	{name: "unknown group", replace: [2]string{listenTable, listenTable + "\ngroup = \"no-such-group\""},
		what: `listen\[0\].group: no group "no-such-group"`},
	{name: "no certificate", replace: [2]string{"[store]",
		"[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[store]"}, what: `tls.key: .*key.pem: no such file`},
	{name: "certificate that is none", replace: [2]string{`"unix:lmtp"`,
		"\"tcp:127.0.0.1:FREE\"\nprotocol = \"esmtp\"\ntls = \"starttls\"\n[tls]\ncertificate = \"doorstep.toml\"\nkey = " +
			"\"key.pem\""},
		prepare: put("key.pem", "no key", 0o600), args: serveHere, code: cli.ExitFailure,
		what: `read certificate .*doorstep.toml`},
	{name: "key that everybody may read",
		replace: [2]string{`"unix:lmtp"`, "\"tcp:127.0.0.1:FREE\"\nprotocol = \"esmtp\"\ntls = " +
			"\"starttls\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\""},
		prepare: put("key.pem", "no key", 0o644), args: serveHere, code: cli.ExitFailure,
		what: `key.pem" is open to every user of this machine`},
	{name: "passwords that everybody may read", replace: [2]string{"[store]", "[auth]\npasswd_file = \"users\"\n[store]"},
		prepare: put("users", "", 0o644), what: `auth.passwd_file: .*users" is open to every user`},
}

// TestMistakes: each of them is said once, with what it is, where it is, and a hint.
func TestMistakes(t *testing.T) {
	if len(mistakes) < 60 {
		t.Errorf("%d mistakes, want 60", len(mistakes))
	}
	taken := listenOn(t, "tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			dir := place(t)
			config := controlled("")
			if m.replace[0] != "" {
				if !strings.Contains(config, m.replace[0]) {
					t.Fatalf("nothing to replace: %q", m.replace[0])
				}
				config = strings.Replace(config, m.replace[0],
					strings.NewReplacer("PORT", port, "FREE", peer.FreePort(t)).Replace(m.replace[1]), 1)
			}
			rewrite(t, dir, config)
			if m.prepare != nil {
				m.prepare(t, dir)
			}
			for _, args := range m.before {
				if _, errs, code := doorstep(t, dir, args...); code != cli.ExitOK {
					t.Fatalf("%q: %s", args, errs)
				}
			}
			args := m.args
			if args == nil {
				args = []string{"check", "-c", "doorstep.toml"}
			}
			want := m.code
			if want == 0 {
				want = cli.ExitUsage
			}
			_, errs, code := doorstep(t, dir, args...)
			if warning := m.name == "host name without a dot"; code != want && !warning {
				t.Errorf("exit status %d, want %d", code, want)
			}
			pattern := regexp.MustCompile(m.what)
			said := 0
			for line := range strings.Lines(errs) {
				if pattern.MatchString(line) {
					said++
					if !strings.HasSuffix(strings.TrimSpace(line), ")") && !strings.Contains(errs, "\nhint: ") {
						t.Errorf("no hint: %s", line)
					}
				}
			}
			if said != 1 {
				t.Errorf("said %d times, want once: %s\n%s", said, m.what, errs)
			}
		})
	}
}
