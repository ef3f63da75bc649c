package hosting

import (
	"bytes"
	"encoding/json"
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

// crowd is more accounts than a lookup may have rows, and than a page of LDAP has entries.
const crowd = 1100

// TestMailboxVerbsListDatabases: doorstep mailbox without addresses goes through all accounts of a [[directory]], by
// the queries of a schema or by the administrator's own. Where there is none it says so, and what to do.
func TestMailboxVerbsListDatabases(t *testing.T) {
	w := directorytest.World{Domains: []string{"dst.example"}}
	for n := range crowd {
		w.Accounts = append(w.Accounts, directorytest.Account{Address: fmt.Sprintf("u%04d@dst.example", n)})
	}
	w.Accounts = append(w.Accounts, directorytest.Account{Address: "broken@dst.example", Broken: true})
	program := peer.BuildDoorstep(t, peer.MailDir(t))
	for kind := range servers {
		t.Run(kind, func(t *testing.T) {
			db := servers[kind].start(t)
			p := named("postfixadmin")
			db.Fill("crowd", p.tables(t, kind)...)
			db.Run("crowd", p.fill(w)...)
			db.Run("crowd", insert("domain", "domain, description, transport", "elsewhere.example", "", "virtual"),
				insert("mailbox", "username, password, name, local_part, domain, maildir", "x@elsewhere.example", "", "", "x",
					"elsewhere.example", "x/"))
			listing{
				keys: overTCP(db, kind, "crowd"), schema: "schema = \"postfixadmin\"\n", elsewhere: 1,
				own: "user_query = \"SELECT username AS address FROM mailbox " +
					"WHERE username IN (:address, :address_unicode)\"\n",
				iterate: "iterate_query = \"SELECT username AS address, quota FROM mailbox\"\n",
			}.run(t, program, peer.Dir(t))
		})
	}
	t.Run("ldap", func(t *testing.T) {
		dir := peer.Dir(t)
		s := ldaptest.Start(t, ldaptest.IRedMail(w, filepath.Join(dir, "mail")))
		password := filepath.Join(peer.Dir(t), "password")
		if err := os.WriteFile(password, []byte(ldaptest.Password), 0o600); err != nil {
			t.Fatal(err)
		}
		keys := fmt.Sprintf("driver = \"ldap\"\nservers = [%q]\nbase = %q\nbind_dn = %q\npassword_file = %q\n", s.Socket,
			ldaptest.Base, ldaptest.BindDN, password)
		listing{
			keys: keys, schema: "schema = \"iredmail\"\n",
			own:     "user_filter = \"(mail={address})\"\nquota_attribute = \"mailQuota\"\n",
			iterate: "iterate_filter = \"(objectClass=mailUser)\"\n",
		}.run(t, program, dir)
	})
}

// A listing is a [[directory]]: where it is, its schema, and own queries without and with one for all accounts.
type listing struct {
	keys, schema, own, iterate string
	elsewhere                  int // accounts of domains that the schema knows, and the configuration does not
}

// run runs the verbs, in an empty directory.
func (l listing) run(t *testing.T, program, dir string) {
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	doorstep := func(more string, args ...string) (stdout, stderr string, code int) {
		t.Helper()
		text := "[[listen]]\naddress = \"unix:lmtp\"\n[store]\npath = \"" + dir + "/mail/{domain}/{local}\"\n" +
			"[[domain]]\nname = \"dst.example\"\n[[directory]]\nname = \"people\"\n" + l.keys + more
		if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, append([]string{"mailbox", "-c", "doorstep.toml"}, args...)...)
		var out, errs bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	for more, want := range map[string]int{l.schema: crowd + l.elsewhere, l.own + l.iterate: crowd} {
		for _, verb := range [][]string{{"list", "--json"}, {"quota", "--recount", "--json"}} {
			out, errs, code := doorstep(more, verb...)
			var rows []struct{ Account string }
			if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != want || code != 1 ||
				strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "broken@dst.example") {
				t.Errorf("%s%q: %d accounts, %v, exit status %d: %.300s", more, verb, len(rows), err, code, errs)
			} else if rows[0].Account != "u0000@dst.example" {
				t.Errorf("%s%q begins with %s", more, verb, rows[0].Account)
			}
		}
	}
	name, _, _ := strings.Cut(l.iterate, " ")
	for _, verb := range []string{"list", "quota", "sweep"} {
		_, errs, code := doorstep(l.own, verb)
		if want := "doorstep: directory people: the accounts cannot be listed\nhint: write " + name +
			" in its [[directory]], or name the addresses\n"; code != 1 || errs != want {
			t.Errorf("%s without %s: %q, exit status %d", verb, name, errs, code)
		}
	}
	wrong := strings.Replace(l.iterate, "\"\n", " :address {address}\"\n", 1)
	if _, errs, code := doorstep(l.own+wrong, "list"); code == 0 ||
		!strings.Contains(errs, "it is for all accounts, and has no p") {
		t.Errorf("with a parameter: %q, exit status %d", errs, code)
	}
}
