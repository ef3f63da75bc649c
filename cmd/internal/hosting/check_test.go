package hosting

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
)

// A wrongDirectory is a [[directory]] that is wrong in one way, and the line that check --connect has of it.
type wrongDirectory struct {
	name     string
	old, new string
	want     string // the line of the key, the key, and parts of the text, between |
}

// checkable is what check is run on: the tables before the keys, of a [[directory]] or what their first line says, have
// six lines.
func checkable(t *testing.T, program, keys string) (stdout, stderr string, code int) {
	t.Helper()
	dir := peer.Dir(t)
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(keys, "[") {
		keys = "[[directory]]\n" + keys
	}
	text := "hostname = \"mail.example.org\"\npostmaster = \"postmaster@dst.example\"\n" +
		"[[listen]]\naddress = \"unix:lmtp\"\n[store]\npath = \"mail/{domain}/{local}\"\n" + keys +
		"[[domain]]\nname = \"dst.example\"\n"
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "check", "--connect", "-c", "doorstep.toml")
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// run wants the mistake to be said once, with where it is, and a hint.
func (w wrongDirectory) run(t *testing.T, program, keys string) {
	t.Run(w.name, func(t *testing.T) {
		if !strings.Contains(keys, w.old) {
			t.Fatalf("no %q in %s", w.old, keys)
		}
		out, errs, code := checkable(t, program, strings.Replace(keys, w.old, w.new, 1))
		parts := strings.Split(w.want, "|")
		place, found := "doorstep.toml:"+parts[0]+":", 0
		for line := range strings.Lines(errs) {
			if strings.HasPrefix(line, place) && strings.Contains(line, "directory[0]."+parts[1]+": ") &&
				strings.Contains(line, parts[2]) && strings.HasSuffix(line, ")\n") {
				found++
			}
		}
		if found != 1 || code != 2 || strings.Contains(out, "ok (") {
			t.Errorf("want one of %q, exit status %d, %s%s", w.want, code, out, errs)
		}
	})
}

// TestCheckConnectsToSQL: check --connect counts what is in a database, and says of each mistake which key it is.
func TestCheckConnectsToSQL(t *testing.T) {
	w := directorytest.World{Domains: []string{"dst.example", "other.example"}}
	for n := range 7 {
		w.Accounts = append(w.Accounts, directorytest.Account{Address: fmt.Sprintf("u%d@dst.example", n)})
	}
	w.Accounts = append(w.Accounts, directorytest.Account{Address: "u@other.example"})
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	for kind := range servers {
		t.Run(kind, func(t *testing.T) {
			db := servers[kind].start(t)
			p := named("postfixadmin")
			db.Fill("accounts", p.tables(t, kind)...)
			db.Run("accounts", p.fill(w)...)
			db.Fill("missing_table", p.tables(t, kind)...)
			db.Run("missing_table", "DROP TABLE alias")
			db.Fill("missing_column", p.tables(t, kind)...)
			db.Run("missing_column", "ALTER TABLE mailbox DROP COLUMN quota")
			db.Fill("blank")
			keys := overTCP(db, kind, "accounts") + "schema = \"postfixadmin\"\n"
			out, errs, code := checkable(t, program, keys)
			if code != 0 || errs != "" || !strings.Contains(out, "8 accounts in 2 domains\n") {
				t.Errorf("all is right, exit status %d: %s%s", code, out, errs)
			}
			own := "user_query = \"SELECT username AS address FROM mailbox WHERE username = :address\"\n"
			out, errs, code = checkable(t, program, strings.Replace(keys, "schema = \"postfixadmin\"\n", own, 1))
			if code != 0 || errs != "" || !strings.Contains(out, "cannot be counted without iterate_query\n") {
				t.Errorf("without iterate_query, exit status %d: %s%s", code, out, errs)
			}
			for _, wrong := range []wrongDirectory{
				{"database", `"accounts"`, `"acounts"`, `11|database|acounts`},
				{"port", "port = " + db.Port, "port = " + peer.FreePort(t), `10|port|refused`},
				{"host", `"127.0.0.1"`, `"no-such-host.invalid"`, `9|host|no-such-host.invalid`},
				{"login", `"` + peer.DatabaseUser + `"`, `"nobody_here"`, `12|user|nobody_here`},
				{"password", "password_file = \"" + db.PasswordFile + "\"\n", "", `12|user|password`},
				{"schema", `"accounts"`, `"blank"`, `14|schema|mailbox`},
				{"table", `"accounts"`, `"missing_table"`, `14|schema|alias`},
				{"column", `"accounts"`, `"missing_column"`, `14|schema|quota`},
				{"socket", "host = \"127.0.0.1\"\nport = " + db.Port, "socket = \"/nonexistent/socket\"", `9|socket|no such file`},
				{"TLS", "password_file", "tls = \"verify\"\npassword_file", `13|tls|TLS`},
				{"query", "schema = \"postfixadmin\"\n",
					"user_query = \"SELEC username AS address FROM mailbox WHERE username = :address\"\n", `14|user_query|SELEC`},
				{"column of a query", "schema = \"postfixadmin\"\n",
					"user_query = \"SELECT username FROM mailbox WHERE username = :address\"\n",
					`14|user_query|returns no address`},
			} {
				wrong.run(t, program, keys)
			}
		})
	}
}

// TestCheckConnectsToLDAP is the same for LDAP.
func TestCheckConnectsToLDAP(t *testing.T) {
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	s := ldaptest.Start(t, ldaptest.IRedMail(directorytest.World{
		Domains:  []string{"dst.example"},
		Accounts: []directorytest.Account{{Address: "alice@dst.example"}, {Address: "bob@dst.example"}},
	}, ""))
	dir := peer.Dir(t)
	password := filepath.Join(dir, "password")
	for name, text := range map[string]string{"password": ldaptest.Password, "wrong": "sesame"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := fmt.Sprintf("driver = \"ldap\"\nservers = [%q]\nbase = %q\nbind_dn = %q\npassword_file = %q\n"+
		"schema = \"iredmail\"\nmailbox_attribute = \"mailMessageStore\"\n", // which they lack: below store.path
		s.Socket, ldaptest.Base, ldaptest.BindDN, password)
	if out, errs, code := checkable(t, program, keys); code != 0 || errs != "" ||
		!strings.Contains(out, "2 accounts in 1 domain\n") {
		t.Errorf("all is right, exit status %d: %s%s", code, out, errs)
	}
	for _, wrong := range []wrongDirectory{
		{"base", `"` + ldaptest.Base + `"`, `"o=nothing,dc=mail"`, `10|base|No Such Object`},
		{"base that is no name", `"` + ldaptest.Base + `"`, `"nothing"`, `10|base|Invalid DN`},
		{"password", password, filepath.Join(dir, "wrong"), `11|bind_dn|Invalid Credentials`},
		{"login", `"` + ldaptest.BindDN + `"`, `"cn=nobody,dc=mail"`, `11|bind_dn|Invalid Credentials`},
		{"port", s.Socket, "ldap://127.0.0.1:" + peer.FreePort(t), `9|servers|refused`},
		{"socket", s.Socket, "ldapi:///nonexistent/socket", `9|servers|no such file`},
		{"authority", s.Socket, s.TLSURL, `9|servers|certificate`},
	} {
		wrong.run(t, program, keys)
	}
}
