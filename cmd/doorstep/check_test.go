package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// healthy is a configuration that all below is made of. It serves alice.
const healthy = `hostname = "mail.example.org"
[[listen]]
address = "unix:lmtp"
[control]
socket = "control"
[state]
path = "state.db"
[store]
path = "mail/{domain}/{local}/Maildir"
[[domain]]
name = "example.org"
[[user]]
address = "alice@example.org"
home = "homes/alice"
aliases = ["postmaster@example.org"]
`

// A sick configuration is healthy but for one thing.
type sick struct {
	name string
	// old is replaced by new. DIR is where the configuration is, PORT a port that is taken, FREE one that is not.
	old, new string
	// files are made beside it, with mode 0600; their owner is root.
	files map[string]string
	// prepare is a shell script that runs there.
	prepare string
	// beside says that mail is taken, and something else is lost.
	beside bool
}

const (
	storeTable    = "[store]\n"
	storePath     = `path = "mail/{domain}/{local}/Maildir"`
	homesPath     = `path = "{home}/Maildir"`
	directoryHere = "[[directory]]\n"
)

// extra is what stands before the table of the store.
func extra(name, text string) sick {
	return sick{name: name, old: storeTable, new: text + "\n" + storeTable}
}

// with adds files to it.
func (s sick) with(files map[string]string) sick { s.files = files; return s }

// after adds a script to it.
func (s sick) after(script string) sick { s.prepare = script; return s }

// harmless says that mail is taken all the same.
func (s sick) harmless() sick { s.beside = true; return s }

// inStore changes the store.
func inStore(name, new string) sick { return sick{name: name, old: storePath, new: new} }

// overTLS is a listener with these files.
func overTLS(name, more string) sick {
	return extra(name, "[[listen]]\naddress = \"tcp:127.0.0.1:FREE\"\nprotocol = \"esmtp\"\ntls = \"starttls\"\n"+more+
		"[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n")
}

var sickConfigurations = []sick{
	{name: "nothing is wrong"},
	// [[listen]]
	{name: "a directory of the socket that is missing", old: "unix:lmtp", new: "unix:run/lmtp"},
	extra("another directory that is missing", "[[listen]]\naddress = \"unix:run/other\""),
	extra("a file in the place of the socket", "[[listen]]\naddress = \"unix:doorstep.toml\""),
	extra("a server at the socket", "[[listen]]\naddress = \"unix:taken\""),
	extra("a server at the port", "[[listen]]\naddress = \"tcp:127.0.0.1:PORT\""),
	extra("a server at all addresses", "[[listen]]\naddress = \"tcp:0.0.0.0:PORT\""),
	extra("an address of another machine", "[[listen]]\naddress = \"tcp:192.0.2.1:2424\""),
	extra("a host that is not known", "[[listen]]\naddress = \"tcp:no-such-host.invalid:2424\""),
	extra("one address in two spellings", "[[listen]]\naddress = \"tcp:127.0.0.1:FREE\"\n"+
		"[[listen]]\naddress = \"tcp:localhost:FREE\""),
	extra("all addresses, and one of them", "[[listen]]\naddress = \"tcp:0.0.0.0:FREE\"\n"+
		"[[listen]]\naddress = \"tcp:127.0.0.1:FREE\""),
	extra("one socket by two paths", "[[listen]]\naddress = \"unix:link/lmtp\"").after("ln -s . link"),
	extra("an owner that is not known", "[[listen]]\naddress = \"unix:other\"\nowner = \"no-such-user\""),
	extra("a group that is not known", "[[listen]]\naddress = \"unix:other\"\ngroup = \"no-such-group\""),
	extra("a peer that is not known", "[[listen]]\naddress = \"unix:other\"\npeers = [\"no-such-user\"]"),
	extra("a trusted user that is not known", "[[listen]]\naddress = \"unix:other\"\ntrusted = [\"no-such-user\"]"),
	extra("sockets that systemd does not pass", "[[listen]]\naddress = \"systemd:lmtp\""),
	// [tls], [auth]
	overTLS("TLS that is right", ""),
	overTLS("no certificate", "").after("rm cert.pem"),
	overTLS("a key that is not that of the certificate", "").after("cp other/key.pem ."),
	overTLS("a key for everybody", "").after("chmod 644 key.pem"),
	overTLS("a certificate that is none", "").after("echo x >cert.pem"),
	overTLS("an authority that is none", "require_certificate = false\n").after(
		`sed -i '/^key/aclient_ca = "doorstep.toml"' doorstep.toml`),
	overTLS("a key that is a pipe", "").after("rm key.pem; mkfifo -m 600 key.pem"),
	overTLS("a certificate that is a pipe", "").after("rm cert.pem; mkfifo -m 600 cert.pem"),
	overTLS("an authority that is a pipe", "").after(
		`mkfifo -m 600 pipe; sed -i '/^key/aclient_ca = "pipe"' doorstep.toml`),
	extra("a password file that is a pipe", "[auth]\npasswd_file = \"pipe\"\n").after("mkfifo -m 600 pipe"),
	extra("a passwd-file that is a pipe",
		directoryHere+"driver = \"passwd-file\"\nfile = \"pipe\"").after("mkfifo -m 600 pipe"),
	extra("a database that is a pipe",
		directoryHere+"driver = \"sqlite\"\nfile = \"pipe\"").after("mkfifo -m 600 pipe"),
	extra("a token that is a pipe", "[admin]\naddress = \"unix:admin\"\ntoken_file = \"pipe\"").after(
		"mkfifo -m 600 pipe").harmless(),
	extra("an authority of a database that is a pipe", directoryHere+"driver = \"postgres\"\nhost = \"127.0.0.1\"\n"+
		"tls = \"verify\"\ntls_ca = \"pipe\"\nport = PORT\ndatabase = \"d\"\nuser = \"u\"").after("mkfifo -m 600 pipe"),
	extra("no password file", "[auth]\npasswd_file = \"passwords\"\n"),
	extra("a password file for everybody", "[auth]\npasswd_file = \"passwords\"\n").with(map[string]string{
		"passwords": "a:{PLAIN}b\n"}).after("chmod 644 passwords"),
	extra("a password file that is a directory", "[auth]\npasswd_file = \"mail\"\n"),
	extra("half a password file",
		"[auth]\npasswd_file = \"passwords\"\n").with(map[string]string{"passwords": "a:{PLAIN}"}).harmless(),
	// [store]
	inStore("a store that is missing", `path = "lost/{domain}/{local}"`),
	inStore("a store that is a file", `path = "doorstep.toml/{domain}/{local}"`),
	inStore("a store in a circle", `path = "circle/{domain}/{local}"`).after("ln -s circle circle"),
	inStore("a store where no file can be made", `path = "/proc/{local}"`),
	inStore("a store of another user", storePath+"\nuser = \"mail\""),
	inStore("a store behind a closed door", `path = "closed/mail/{local}"`+"\nuser = \"mail\"").after(
		"install -d -m 700 closed; install -d -o mail closed/mail"),
	inStore("a store that is right", storePath+"\nuser = \"mail\"").after("chown -R mail mail"),
	inStore("a user that is not known", storePath+"\nuser = \"no-such-user\""),
	inStore("a group that is not known", storePath+"\nuser = \"mail\"\ngroup = \"no-such-group\""),
	inStore("owners without a user", storePath+"\nowners = true"),
	inStore("the domain's directory of another user", storePath+"\nuser = \"mail\"").after(
		"chown mail mail; install -d -m 700 mail/example.org"),
	inStore("a Maildir of another user", storePath+"\nuser = \"mail\"").after(
		"chown mail mail; install -d -o mail mail/example.org mail/example.org/alice; " +
			"install -d -m 700 mail/example.org/alice/Maildir"),
	inStore("a Maildir without new", storePath).after("mkdir -p mail/example.org/alice/Maildir/tmp"),
	inStore("a Maildir that is a file",
		storePath).after("mkdir -p mail/example.org/alice; touch mail/example.org/alice/Maildir"),
	inStore("no Maildir is made", storePath+"\ncreate = false"),
	inStore("homes that are right", homesPath).after("mkdir -p homes/alice"),
	inStore("homes that are missing", homesPath),
	{name: "no home", old: storePath, new: homesPath, prepare: "sed -i '/^home/d' doorstep.toml"},
	inStore("a home of another user",
		homesPath+"\nuser = \"mail\"").after("mkdir -p homes; install -d -m 700 homes/alice"),
	// [[user]], [[domain]], [[alias]]
	{name: "an account of another user", old: `home = "homes/alice"`, new: "uid = 20001\ngid = 20001"},
	{name: "an owner that is not known", old: `home = "homes/alice"`, new: `owner = "no-such-user"`},
	{name: "a catch-all for nobody",
		old: `name = "example.org"`, new: "name = \"example.org\"\ncatch_all = \"x@example.org\""},
	// [[directory]]
	extra("no passwd-file", directoryHere+"driver = \"passwd-file\"\nfile = \"users\""),
	extra("a passwd-file that is empty", directoryHere+"driver = \"passwd-file\"\nfile = \"users\"").with(
		map[string]string{"users": ""}),
	extra("half a passwd-file", directoryHere+"driver = \"passwd-file\"\nfile = \"users\"").with(
		map[string]string{"users": "bob@example.org:::"}),
	extra("the same account in a passwd-file", directoryHere+"driver = \"passwd-file\"\nfile = \"users\"").with(
		map[string]string{"users": "alice@example.org:::::\n"}),
	extra("a passwd-file that is a directory", directoryHere+"driver = \"passwd-file\"\nfile = \"mail\""),
	{name: "a passwd-file that the server may not read", old: storePath, new: storePath + "\nuser = \"mail\"\n" +
		directoryHere + "driver = \"passwd-file\"\nfile = \"users\"",
		files:   map[string]string{"users": "bob@example.org:::::\n"},
		prepare: "chown mail mail"},
	extra("no database", directoryHere+"driver = \"sqlite\"\nfile = \"accounts.db\""),
	extra("a database that is none", directoryHere+"driver = \"sqlite\"\nfile = \"accounts.db\"").with(
		map[string]string{"accounts.db": "no database, but longer than a header of a hundred octets " + healthy}),
	extra("a database without tables",
		directoryHere+"driver = \"sqlite\"\nfile = \"accounts.db\"\nschema = \"postfixadmin\"").with(
		map[string]string{"accounts.db": ""}),
	{name: "a database that the server may not read", old: storePath, new: storePath + "\nuser = \"mail\"\n" +
		directoryHere + "driver = \"sqlite\"\nfile = \"accounts.db\"",
		prepare: "doorstep domain add -c doorstep.toml example.net; chown mail mail; chmod 600 accounts.db*"},
	{name: "a database beside which the server may not write", old: storePath, new: storePath + "\nuser = \"mail\"\n" +
		directoryHere + "driver = \"sqlite\"\nfile = \"db/accounts.db\"",
		prepare: "mkdir db; doorstep domain add -c doorstep.toml example.net; chown mail mail; chmod 644 db/*"},
	extra("a query without an address", directoryHere+"driver = \"sqlite\"\nfile = \"accounts.db\"\n"+
		"user_query = \"SELECT 1 AS id\"").with(map[string]string{"accounts.db": ""}),
	extra("a query with an unknown parameter", directoryHere+"driver = \"sqlite\"\nfile = \"accounts.db\"\n"+
		"user_query = \"SELECT :adress AS address\"").with(map[string]string{"accounts.db": ""}),
	extra("no PostgreSQL",
		directoryHere+"driver = \"postgres\"\nhost = \"127.0.0.1\"\nport = FREE\ndatabase = \"d\"\nuser = \"u\""),
	extra("no MySQL",
		directoryHere+"driver = \"mysql\"\nhost = \"127.0.0.1\"\nport = FREE\ndatabase = \"d\"\nuser = \"u\""),
	extra("no socket of PostgreSQL",
		directoryHere+"driver = \"postgres\"\nsocket = \"DIR\"\ndatabase = \"d\"\nuser = \"u\""),
	extra("no password",
		directoryHere+"driver = \"postgres\"\nhost = \"127.0.0.1\"\nport = PORT\ndatabase = \"d\"\nuser = \"u\"\n"+
			"password_file = \"password\""),
	extra("an authority of a database that is none", directoryHere+"driver = \"postgres\"\nhost = \"127.0.0.1\"\n"+
		"tls = \"verify\"\ntls_ca = \"doorstep.toml\"\nport = PORT\ndatabase = \"d\"\nuser = \"u\""),
	extra("no LDAP", directoryHere+"driver = \"ldap\"\nservers = [\"ldap://127.0.0.1:FREE\"]\nbase = \"o=x\"\n"+
		"user_filter = \"(mail={address})\""),
	extra("a filter that is none",
		directoryHere+"driver = \"ldap\"\nservers = [\"ldap://127.0.0.1:FREE\"]\nbase = \"o=x\"\n"+
			"user_filter = \"(mail={address}\""),
	extra("a server that is no URL",
		directoryHere+"driver = \"ldap\"\nservers = [\"ldap://127.0.0.1:FREE/x?y\"]\nbase = \"o=x\"\n"+
			"user_filter = \"(mail={address})\""),
	extra("no file of the system", directoryHere+"driver = \"system\"\ndomains = [\"example.org\"]\nfile = \"passwd\""),
	extra("no canary",
		directoryHere+"driver = \"system\"\ndomains = [\"example.org\"]\nfile = \"passwd\"\ncanary = \"x\"").with(
		map[string]string{"passwd": "bob:x:1000:1000::/h:/bin/sh\n"}),
	// [quota], [admin], [control], [state], [sandbox]
	extra("no program for warnings", "[quota]\nwarn_command = [\"DIR/warn\"]").harmless(),
	extra("a program for warnings that cannot be run", "[quota]\nwarn_command = [\"DIR/doorstep.toml\"]").harmless(),
	extra("a secret for everybody", "[quota]\nwarn_url = \"http://127.0.0.1:FREE/\"").after("chmod 644 doorstep.toml"),
	extra("no token", "[admin]\naddress = \"unix:admin\"\ntoken_file = \"token\"").harmless(),
	extra("an admin listener that another has", "[admin]\naddress = \"unix:taken\"").harmless(),
	extra("no directory for the admin listener", "[admin]\naddress = \"unix:run/admin\"").harmless(),
	{name: "no directory for the control socket", old: `"control"`, new: `"run/control"`, beside: true},
	extra("no directory for the outbox", "[submission]\nserver = \"unix:mta\"\noutbox = \"lost/box\"").harmless(),
	extra("a file in place of the outbox", "[submission]\nserver = \"unix:mta\"\noutbox = \"box\"").
		with(map[string]string{"box": ""}).harmless(),
	extra("a password that all read", "[submission]\nserver = \"unix:mta\"\noutbox = \"box\"\nuser = \"d\"\n"+
		"password_file = \"secret\"").with(map[string]string{"secret": "x\n"}).after("chmod 0644 secret"),
	{name: "no directory for the state", old: `"state.db"`, new: `"lost/state.db"`, beside: true},
	inStore("a home outside of the sandbox", homesPath+"\n[sandbox]\npaths = [\"mail\"]").after("mkdir -p homes/alice"),
	extra("a sandbox for what is missing", "[sandbox]\npaths = [\"lost\"]"),
	// conf.d
	extra("a part that leads nowhere", "").after("mkdir conf.d; ln -s nowhere conf.d/a.toml"),
	extra("a part that is a directory", "").after("mkdir -p conf.d/a.toml"),
	extra("a part that says it again", "").after("mkdir conf.d; echo 'hostname = \"x.example.org\"' >conf.d/a.toml"),
}

// TestCheckKnows: what check passes is served, and of what it refuses something is lost.
func TestCheckKnows(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	taken := listenOn(t, "tcp", "127.0.0.1:0")
	port := strings.TrimPrefix(taken.Addr().String(), "127.0.0.1:")
	for _, s := range sickConfigurations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := place(t)
			listenOn(t, "unix", filepath.Join(dir, "taken"))
			if err := os.Mkdir(filepath.Join(dir, "other"), 0o700); err != nil {
				t.Fatal(err)
			}
			certify(t, dir, time.Now().Add(90*24*time.Hour))
			certify(t, filepath.Join(dir, "other"), time.Now().Add(90*24*time.Hour))
			s.lay(t, dir, program, port)
			out, errs, code := runProgram(t, dir, program, "check", "--connect", "-c", "doorstep.toml")
			log, served := s.serve(t, dir, program)
			for line := range strings.Lines(errs) {
				isPlain := strings.Contains(line, "regular file") || strings.Contains(line, "conf.d/") ||
					strings.Contains(line, ": warning: ")
				if !isPlain && (strings.Contains(line, ": listen[") || strings.Contains(line, ": directory[")) &&
					!strings.HasSuffix(line, ")\n") {
					t.Errorf("without a hint: %s", line)
				}
			}
			told := strings.Contains(errs, "warning: alice@example.org: ") || strings.Contains(errs, "only systemd passes")
			isLost := s.beside || strings.Contains(errs, ": directory[") // its own accounts
			switch {
			case code == cli.ExitOK && !served && !told:
				t.Errorf("check says\n%s%sbut\n%s", errs, out, log)
			case code != cli.ExitOK && served && !isLost:
				t.Errorf("check refuses what works:\n%s\n%s", errs, log)
			case s.beside && errs == "":
				t.Errorf("check does not say what is lost:\n%s", log)
			}
		})
	}
}

// lay makes the files.
func (s sick) lay(t *testing.T, dir, program, port string) {
	t.Helper()
	text := healthy
	if s.old != "" {
		if !strings.Contains(text, s.old) {
			t.Fatalf("nothing to replace: %q", s.old)
		}
		text = strings.Replace(text, s.old, s.new, 1)
	}
	rewrite(t, dir, strings.NewReplacer("DIR", dir, "PORT", port, "FREE", peer.FreePort(t)).Replace(text))
	err := os.Chmod(dir, 0o755)
	for name, text := range s.files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	script := exec.Command("sh", "-ec", s.prepare)
	script.Dir, script.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// serve starts the server, and reports whether alice gets a message.
func (s sick) serve(t *testing.T, dir, program string) (log string, served bool) {
	t.Helper()
	server := &server{dir: dir, cmd: exec.Command(program, "serve", "-c", "doorstep.toml")}
	server.cmd.Stdout, server.cmd.Stderr = &server.out, &server.log
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	defer server.kill()
	if err := server.log.await("msg=listening"); err != nil {
		return err.Error(), false
	}
	out, errs, code := runProgram(t, dir, program, "send", "--server", "unix:lmtp", "--to", "alice@example.org")
	return server.log.String() + out + errs, code == cli.ExitOK
}

// runProgram runs a program of which the test knows the path.
func runProgram(t *testing.T, dir, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// asMail is a configuration of files that user mail, who starts the server, must be able to read or to write to.
const asMail = healthy + `[[directory]]
driver = "passwd-file"
file = "users"
`

// TestCheckAs: files are tried as the user who starts the server, named or said by the unit, and none is left behind.
func TestCheckAs(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, script, want string }{
		{"all is right", "true", ""},
		{"the configuration", "chown root doorstep.toml; chmod 600 doorstep.toml",
			"read configuration: open doorstep.toml: permission denied"},
		{"a part of it", "chown root conf.d/a.toml; chmod 600 conf.d/a.toml",
			"conf.d/a.toml: open conf.d/a.toml: permission denied"},
		{"accounts", "chown root users; chmod 600 users", "doorstep.toml:18:8: directory[0].file: "},
		{"the store", "chown root mail", "doorstep.toml:9:8: store.path: directory "},
		{"the way to the store", "chown root mail; chmod 700 mail; sed -i 's:mail/{:mail/x/{:' doorstep.toml",
			"store.path: "},
		{"the directory of sockets", "chown root .", "doorstep.toml:3:11: listen[0].address: directory "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := place(t)
			sick{
				files: map[string]string{"users": "bob@example.org:::::\n", "systemctl": `#!/bin/sh
echo Id=doorstep.service; echo User=mail; echo Group=mail
echo "ExecStart={ path=/usr/bin/doorstep ; argv[]=/usr/bin/doorstep serve -c $PWD/doorstep.toml ; ignore_errors=no }"
`},
				prepare: "cat >>doorstep.toml <<X\n" + strings.TrimPrefix(asMail, healthy) + "X\n" +
					"mkdir conf.d bin; mv systemctl bin; chmod 755 bin/systemctl; echo >conf.d/a.toml; chown -R mail . ; " +
					"chmod -R a+rX .; " + tt.script,
			}.lay(t, dir, program, "1")
			before := names(t, dir)
			for _, by := range []string{"--as", "unit"} {
				args := []string{"check", "-c", "doorstep.toml"}
				if by == "--as" {
					args = append(args, "--as", "mail")
				} else {
					t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
				}
				out, errs, code := runProgram(t, dir, program, args...)
				switch {
				case tt.want == "" && (code != cli.ExitOK || errs != "" || !strings.Contains(out, "tried as user mail")):
					t.Errorf("%s: exit status %d: %s%s", by, code, out, errs)
				case !strings.Contains(errs, tt.want) || tt.want != "" && code != cli.ExitUsage:
					t.Errorf("%s: want %q, exit status %d: %s%s", by, tt.want, code, out, errs)
				}
			}
			if after := names(t, dir); !slices.Equal(before, after) {
				t.Errorf("left behind: %q, before %q", after, before)
			}
		})
	}
	_, errs, code := runProgram(t, place(t), program, "check", "--as", "no-such-user")
	if code != cli.ExitUsage || !strings.Contains(errs, "no user \"no-such-user\"") || !strings.Contains(errs, "hint: ") {
		t.Errorf("nobody: exit status %d: %s", code, errs)
	}
}
