package hosting

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	db "database/sql"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestStacksInMariaDB, -Postgres and -SQLite: in the tables of each project Doorstep takes and refuses what the
// project's own Dovecot does, and what it has taken Dovecot's IMAP server shows, in the mailbox of whom it is for.
func TestStacksInMariaDB(t *testing.T) {
	server := peer.StartMariaDB(t)
	server.Run("", "CREATE USER dovecot IDENTIFIED BY 'secret'", "GRANT SELECT ON *.* TO dovecot")
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	for i, s := range []stack{mailcow, iredmail, modoboa, postfixAdmin, postfixAdminFormats} {
		t.Run(s.name, func(t *testing.T) {
			name := fmt.Sprintf("stack%d", i)
			run(t, s, program, backend{
				server:  "mysql",
				fill:    func(statements ...string) { server.Fill(name, statements...) },
				dovecot: bySQL("mysql", connection(server, name)),
				later:   laterSQL("mysql", server, name),
				keys:    overTCP(server, "mysql", name),
			})
		})
	}
}

func TestStacksInPostgres(t *testing.T) {
	server := peer.StartPostgres(t)
	server.Run("postgres", "CREATE ROLE dovecot LOGIN PASSWORD 'secret' IN ROLE pg_read_all_data")
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	for i, s := range []stack{iredmail, modoboa, postfixAdmin} {
		t.Run(s.name, func(t *testing.T) {
			name := fmt.Sprintf("stack%d", i)
			run(t, s, program, backend{
				server:  "postgres",
				fill:    func(statements ...string) { server.Fill(name, statements...) },
				dovecot: bySQL("pgsql", connection(server, name)),
				later:   laterSQL("pgsql", server, name),
				keys:    overTCP(server, "postgres", name),
			})
		})
	}
}

func TestStacksInSQLite(t *testing.T) {
	path := filepath.Join(peer.Dir(t), "postfixadmin.db")
	run(t, postfixAdmin, peer.BuildDoorstep(t, peer.MailDir(t)), backend{
		server:  "sqlite",
		fill:    func(statements ...string) { fillSQLite(t, path, statements...) },
		dovecot: bySQL("sqlite", path),
		keys:    fmt.Sprintf("driver = \"sqlite\"\nfile = %q\n", path),
	})
}

// fillSQLite makes a database that MailUser may read.
func fillSQLite(t *testing.T, path string, statements ...string) {
	t.Helper()
	raw, err := db.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := raw.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%.300s: %v", s, err)
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
}

// A backend is the database that a stack is in.
type backend struct {
	fill    func(statements ...string) // makes it
	dovecot peer.DovecotDatabase       // reads it
	later   []string                   // does in Dovecot 2.4
	keys    string                     // of [[directory]], but for what it asks
	server  string                     // what it is
}

// bySQL is how Dovecot asks a database for what is appended, its user_query.
func bySQL(driver, connect string) peer.DovecotDatabase {
	return peer.DovecotDatabase{Driver: driver, Lines: []string{"driver = " + driver, "connect = " + connect}}
}

// connection is how Dovecot reaches a database, which takes no password with a space.
func connection(d *peer.Database, name string) string {
	return "host=127.0.0.1 port=" + d.Port + " user=dovecot password=secret dbname=" + name
}

// laterSQL is how Dovecot 2.4 does.
func laterSQL(driver string, d *peer.Database, name string) []string {
	keys := []string{"port = " + d.Port, "user = dovecot", "password = secret", "dbname = " + name}
	if driver == "pgsql" {
		keys = slices.Concat([]string{"parameters {"}, keys, []string{"}"})
	}
	return slices.Concat([]string{"sql_driver = " + driver, driver + " 127.0.0.1 {"}, keys, []string{"}"})
}

// overTCP is how Doorstep does.
func overTCP(d *peer.Database, driver, name string) string {
	return fmt.Sprintf("driver = %q\nhost = \"127.0.0.1\"\nport = %s\ndatabase = %q\nuser = %q\npassword_file = %q\n",
		driver, d.Port, name, peer.DatabaseUser, d.PasswordFile)
}

// A hosted is a stack that runs.
type hosted struct {
	dovecot  *peer.Dovecot
	doorstep *peer.Process
	socket   string              // of Doorstep's LMTP server
	seen     int                 // messages so far
	has      map[string][]string // the messages of each account that Doorstep delivered
}

func run(t *testing.T, s stack, program string, b backend) {
	dir := peer.MailDir(t)
	for _, name := range []string{"mail", "mail/vmail1", "mail/dst.example", "elsewhere"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(dir, name), peer.MailUser, peer.MailUser); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("ROOT", dir+"/mail", "ELSEWHERE", dir+"/elsewhere")
	b.fill(s.statements(t, b.server, here)...)

	b.dovecot.Lines = append(b.dovecot.Lines, here.Replace(s.query[b.server]))
	settings := []string{"auth_username_format = %Lu"}
	for _, line := range s.settings {
		settings = append(settings, here.Replace(line))
	}
	h := &hosted{has: map[string][]string{}, socket: filepath.Join(dir, "lmtp")}
	h.dovecot = peer.StartDovecot(t, peer.DovecotConfig{
		UID: peer.MailUser, GID: peer.MailUser, LMTP: true, Database: &b.dovecot, Settings: settings,
	})
	asks := fmt.Sprintf("schema = %q\n", s.schema)
	if s.queries != "" {
		_, asks, _ = strings.Cut(manual(t, "mysql.md", s.queries), "user_query")
		asks = "user_query" + asks
	}
	configuration := fmt.Sprintf("hostname = \"mx.example.org\"\npostmaster = \"alice@dst.example\"\n"+
		"[[listen]]\naddress = \"unix:%s\"\n[quota]\ngrace = 0\n[store]\npath = %q\n[[directory]]\n%s", h.socket,
		here.Replace(s.path), b.keys+asks)
	h.doorstep = serve(t, dir, program, configuration)
	peer.AwaitListener(t, h.doorstep, "unix", h.socket)
	for _, o := range s.want {
		t.Run(o.to, func(t *testing.T) { h.check(t, o) })
	}
	if s.later[b.server] != nil {
		t.Run("Dovecot 2.4", func(t *testing.T) { h.readLater(t, b, s, here) })
	}
}

// readLater wants Dovecot 2.4 to show all that was delivered.
func (h *hosted) readLater(t *testing.T, b backend, s stack, here *strings.Replacer) {
	settings := slices.Clone(b.later)
	for _, line := range s.later[b.server] {
		settings = append(settings, here.Replace(line))
	}
	later := peer.StartDovecot24(t, peer.MailUser, settings...)
	if len(h.has) == 0 {
		t.Error("nothing was delivered")
	}
	for account, ids := range h.has {
		for _, id := range ids {
			if n := copies(t, later, account, id); n != 1 {
				t.Errorf("%s has %d copies of %s, want 1", account, n, id)
			}
		}
	}
}

// serve runs "doorstep serve" as MailUser.
func serve(t *testing.T, dir, program, configuration string) *peer.Process {
	t.Helper()
	path := filepath.Join(dir, "doorstep.toml")
	if err := os.WriteFile(path, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "-c", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
	return peer.Start(t, cmd)
}

// statements make the tables and fill them.
func (s stack) statements(t *testing.T, server string, here *strings.Replacer) (list []string) {
	t.Helper()
	if server != "ldap" {
		tables, err := os.ReadFile(filepath.Join("testdata", s.schema+"."+server+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(tables))
	}
	world := inALabels(site) // as all panels have domains
	world.Accounts = slices.DeleteFunc(world.Accounts, func(a directorytest.Account) bool {
		local, _, _ := strings.Cut(a.Address, "@")
		return slices.Contains(s.without, local)
	})
	for _, row := range slices.Concat(s.fill(world), s.extras, s.rows) {
		list = append(list, here.Replace(row))
	}
	return list
}

// check sends a message to an address.
func (h *hosted) check(t *testing.T, o outcome) {
	id, code, enhanced := h.send(t, h.socket, o)
	if code != o.code || o.enhanced != "" && enhanced != o.enhanced {
		t.Errorf("Doorstep: %d %s, want %d %s", code, enhanced, o.code, o.enhanced)
	}
	if o.dovecot != 0 {
		if _, code, enhanced := h.send(t, h.dovecot.LMTPSocket, o); code != o.dovecot {
			t.Errorf("Dovecot: %d %s, want %d", code, enhanced, o.dovecot)
		}
	}
	if !strings.Contains(h.doorstep.Output(), o.log) {
		t.Errorf("the log does not say %q", o.log)
	}
	for _, account := range o.in {
		if n := copies(t, h.dovecot, account, id); n != 1 {
			t.Errorf("%s has %d copies of it, want 1", account, n)
		}
		h.has[account] = append(h.has[account], id)
	}
}

// send sends a message of its own to one address, and returns its id and the reply.
func (h *hosted) send(t *testing.T, socket string, o outcome) (id string, code int, enhanced string) {
	t.Helper()
	h.seen++
	id = fmt.Sprintf("<%d@client.example>", h.seen)
	c, err := client.Dial(t.Context(), "unix:"+socket, client.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := "Message-ID: " + id + "\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", o.size/72+1)
	r, err := c.Send(t.Context(), client.Message{
		From: "s@client.example", To: client.To(o.to), Content: strings.NewReader(text), Size: int64(len(text)),
	})
	if err != nil {
		t.Fatal(err)
	}
	final := r.Recipients[0].Final
	return id, final.Code, final.Enhanced
}

// copies counts the messages with an id in an account's inbox.
func copies(t *testing.T, dovecot *peer.Dovecot, account, id string) (n int) {
	t.Helper()
	c, err := peer.DialIMAP(dovecot.Addr, account, peer.Password)
	if err != nil {
		t.Fatal(err)
	}
	exists, err := c.Examine("INBOX")
	for i := 1; i <= exists && err == nil; i++ {
		var content []byte
		if _, content, err = c.Fetch(i); bytes.Contains(content, []byte("Message-ID: "+id+"\r\n")) {
			n++
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Logout(); err != nil {
		t.Error(err)
	}
	return n
}
