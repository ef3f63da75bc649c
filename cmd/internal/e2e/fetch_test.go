package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A fetcher is a program that gets mail from a POP3 server and hands it to Doorstep, by a recipe of
// the documentation.
type fetcher struct {
	name, need string
	page       string
	// configure makes its configuration in dir of the recipe, with the port of the POP3 server, and
	// returns the command.
	configure func(dir, recipe, port string) (file, text string, command []string)
	unknown   string // what it says when there is no such recipient
}

var fetchers = []fetcher{
	{name: "fetchmail by LMTP", need: "fetchmail", page: "docs/recipes.md", configure: fetchmail,
		unknown: "LMTP error: 550 5.1.1 no such mailbox here"},
	{name: "fetchmail by a program", need: "fetchmail", page: "docs/recipes.md", configure: fetchmail,
		unknown: "MDA returned nonzero status 67"},
	{name: "getmail", need: "getmail", page: "README.md", configure: getmail,
		unknown: "550 5.1.1 no such mailbox here"},
}

// fetchmail insists on TLS, unless its configuration says that there is none.
func fetchmail(dir, recipe, port string) (file, text string, command []string) {
	text = strings.NewReplacer("poll pop.example.com protocol pop3", "poll 127.0.0.1 protocol pop3 service "+port,
		`user "alice"`, `user "alice" sslproto ""`).Replace(recipe)
	return "fetchmailrc", text, []string{"fetchmail", "-f", filepath.Join(dir, "fetchmailrc"), "--nosyslog", "--nodetach"}
}

func getmail(dir, recipe, port string) (file, text string, command []string) {
	text = "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = " + port +
		"\nusername = alice\npassword = secret\n[options]\ndelete = true\n" + recipe
	return "getmailrc", text, []string{"getmail", "--getmaildir", dir}
}

// TestFetched runs the recipes for programs that fetch mail: it arrives once and is removed from the
// server, with its sender or the null path; it stays there when there is no such recipient or the
// mailbox is full, and comes with a later poll.
func TestFetched(t *testing.T) {
	t.Parallel()
	for _, f := range fetchers {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, f.need, "dovecot", "dovecot-pop3")
			s := openSite(t)
			dir := peer.MailDir(t)
			source := filepath.Join(dir, "source")
			for _, sub := range []string{"cur", "new", "tmp"} {
				mailUsersOwn(t, filepath.Join(source, sub))
			}
			mailUsersOwn(t, source)
			d := peer.StartDovecot(t, peer.DovecotConfig{
				Users: []peer.DovecotUser{{Name: "alice", Maildir: source}}, UID: peer.MailUser, GID: peer.MailUser, POP3: true,
			})
			poll := func(to string) string { return s.poll(t, f, dir, d.POP3Addr, to) }
			put := func(name, sender string) string {
				rest := "From: <bob@src.example>\nSubject: " + name + "\nMessage-ID: <" + name +
					"@src.example>\n\nGrüße\n.\nFrom here\n"
				file := filepath.Join(source, "new", name)
				if err := os.WriteFile(file, []byte("Return-Path: "+sender+"\n"+rest), 0o644); err != nil {
					t.Fatal(err)
				}
				return rest
			}
			left := func() int {
				found, err := filepath.Glob(source + "/*/m*")
				if err != nil {
					t.Fatal(err)
				}
				return len(found)
			}

			first, second := put("m1", "<sender@src.example>"), put("m2", "<>")
			poll(goodA)
			if n := left(); n != 0 {
				t.Errorf("%d messages left on the server, want none", n)
			}
			got := strings.Join(s.messages(t, s.account(t, goodA)), "\x00")
			for path, rest := range map[string]string{"sender@src.example": first, "": second} {
				if !strings.Contains(got, "Return-Path: <"+path+">\n") ||
					strings.Count(got, rest[strings.Index(rest, "\n\n"):]) != 2 {
					t.Errorf("no message from <%s> with its content: %q", path, got)
				}
			}

			put("m3", "<sender@src.example>")
			if said := poll(unknownC); !strings.Contains(said, f.unknown) || left() != 1 {
				t.Errorf("unknown recipient: %d messages left, and it says %q; want one, and %q", left(), said, f.unknown)
			}
			s.fillBox(t, s.account(t, fullD))
			if said := poll(fullD); left() != 1 {
				t.Errorf("full mailbox: %d messages left, want one: %q", left(), said)
			}
			s.emptyBox(t, s.account(t, fullD))
			poll(fullD)
			if list := s.messages(t, s.account(t, fullD)); left() != 0 || len(list) != 1 {
				t.Errorf("%d messages left, %d delivered; want none and one", left(), len(list))
			}
		})
	}
}

// poll runs the program once, for the given recipient, as the user whom the mailboxes belong to.
func (s *site) poll(t *testing.T, f fetcher, dir, addr, to string) (output string) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	doorstep := filepath.Dir(s.store) + "/doorstep"
	text := strings.NewReplacer("alice@example.org", to, "/run/doorstep/lmtp.sock", strings.TrimPrefix(s.unix, "unix:"),
		"secret", peer.Password, "/usr/bin/doorstep deliver", doorstep+" deliver -c "+doorstep+".toml",
		"/usr/bin/doorstep", doorstep, `"deliver", `, fmt.Sprintf(`"deliver", "-c", %q, `, doorstep+".toml"),
	).Replace(recipe(t, f.page, f.name))
	file, text, command := f.configure(dir, text, port)
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "= secret", "= "+peer.Password)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, peer.MailUser, peer.MailUser); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "FETCHMAILHOME=" + dir, "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
	// Its exit status says whether there was mail, or not even that: what counts is where mail is.
	out, _ := cmd.CombinedOutput()
	return string(out)
}
