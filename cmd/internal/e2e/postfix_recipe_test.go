package e2e_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A mailHost is the configuration of README.md and Postfix by its recipe, with more in main.cf.
type mailHost struct {
	dir     string
	postfix *peer.Postfix
}

// openMailHost starts both. In the place of the directories of the page are others.
func openMailHost(t *testing.T, more ...string) *mailHost {
	t.Helper()
	peer.Need(t, "postfix")
	h := &mailHost{dir: peer.MailDir(t)}
	mailUsersOwn(t, h.dir+"/mail")
	instead := strings.NewReplacer("/run/doorstep", h.dir, "/srv/mail", h.dir+"/mail")
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	configuration, _ := block(t, string(text), "toml")
	// Here Doorstep runs as a user who may not give the socket to Postfix' group. With a catch-all nobody is unknown.
	configuration = strings.NewReplacer("group   = \"postfix\"\n", "", `"0660"`, `"0666"`,
		"catch_all  = \"postmaster@example.org\"\n", "").Replace(configuration)
	p := peer.StartDoorstep(t, h.dir, instead.Replace(configuration))
	peer.AwaitListener(t, p, "unix", filepath.Join(h.dir, "lmtp.sock"))

	params := strings.Split(strings.TrimSpace(recipe(t, "README.md", "postfix")), "\n")
	for i := range params {
		params[i] = instead.Replace(params[i])
	}
	h.postfix = peer.StartPostfix(t, peer.PostfixConfig{Params: append(params, more...)})
	return h
}

// follow runs the commands of a recipe.
func (h *mailHost) follow(t *testing.T, name string) {
	t.Helper()
	for line := range strings.Lines(recipe(t, "README.md", name)) {
		h.postfix.Run(strings.TrimPrefix(line, "# "))
	}
}

// inbox is the content of all messages of an account.
func (h *mailHost) inbox(t *testing.T, local string) (list []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "mail/example.org", local, "Maildir/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(content))
	}
	return list
}

// smtp says lines to an SMTP server and returns its replies to them.
func smtp(t *testing.T, addr string, lines ...string) (replies []string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	in := bufio.NewReader(nc)
	for _, line := range slices.Concat([]string{"", "EHLO client.example"}, lines) {
		if line != "" {
			if _, err := io.WriteString(nc, line+"\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		reply := "   -"
		for reply[3] == '-' {
			if reply, err = in.ReadString('\n'); err != nil || len(reply) < 4 {
				t.Fatalf("after %s: %q, %v", line, reply, err)
			}
		}
		replies = append(replies, strings.TrimSpace(reply))
	}
	return replies[2:]
}

// TestPostfixRecipeReportsDelivery: a sender who asked for a success notice reads "delivered", of the message and
// recipient that were meant, and Postfix has nothing to complain of. "relayed" would say that what becomes of the
// message is not known.
func TestPostfixRecipeReportsDelivery(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, more string
		follow     bool
		action     string
		complaint  string
	}{
		{name: "flags=X", follow: true, action: "delivered"},
		{name: "without", action: "relayed"},
		// The way of before 3.5, and how later versions take it.
		{name: "lmtp_assume_final", more: "lmtp_assume_final = yes", action: "delivered",
			complaint: "lmtp_assume_final is obsolete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := openMailHost(t, tt.more)
			if tt.follow {
				h.follow(t, "postfix lmtp")
			}
			send := exec.CommandContext(t.Context(), filepath.Join(h.dir, "doorstep"), "send", "--protocol", "esmtp",
				"--server", "tcp:"+h.postfix.Addr, "-f", "alice@example.org", "-t", "postmaster@example.org",
				"--notify", "success", "--ret", "hdrs", "--envid", "QQ+= 1", "--orcpt", "staff+a=b@example.org")
			if out, err := send.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			h.postfix.AwaitIdle(time.Minute)
			reports := h.inbox(t, "alice")
			if len(reports) != 1 {
				t.Fatalf("reports: %q", reports)
			}
			for _, field := range []string{"Action: " + tt.action, "Original-Envelope-Id: QQ+= 1",
				"Original-Recipient: rfc822;staff+a=b@example.org"} {
				if !strings.Contains(reports[0], "\n"+field+"\n") {
					t.Errorf("report without %q: %s", field, reports[0])
				}
			}
			for _, c := range h.postfix.Complaints() {
				if tt.complaint == "" || !strings.Contains(c, tt.complaint) {
					t.Errorf("Postfix complains: %s", c)
				}
			}
			if tt.complaint != "" && len(h.postfix.Complaints()) == 0 {
				t.Error("Postfix does not complain")
			}
		})
	}
}

// TestPostfixRecipeRefusesUnknown: unknown recipients are refused for good while the client talks, and nobody elsewhere
// is asked about an alias that leads there.
func TestPostfixRecipeRefusesUnknown(t *testing.T) {
	t.Parallel()
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan net.Conn, 10)
	go func() {
		for {
			nc, err := elsewhere.Accept()
			if err != nil {
				return
			}
			nc.Close()
			asked <- nc
		}
	}()
	defer elsewhere.Close()
	_, port, _ := net.SplitHostPort(elsewhere.Addr().String())
	more := strings.Split(strings.TrimSpace(recipe(t, "README.md", "postfix verify")), "\n")
	h := openMailHost(t, append(more,
		"mynetworks = 192.0.2.0/24", // the client is a stranger
		"virtual_alias_maps = inline:{ { out@example.org = out@elsewhere.example } }",
		"default_transport = smtp:[127.0.0.1]:"+port)...)
	h.follow(t, "postfix lmtp")
	replies := smtp(t, h.postfix.Addr, "MAIL FROM:<client@client.example>", "RCPT TO:<alice@example.org>",
		"RCPT TO:<アリス@example.org>", "RCPT TO:<alice+lists@example.net>", "RCPT TO:<out@example.org>",
		"RCPT TO:<nobody@example.org>", "RCPT TO:<x@elsewhere.example>")
	for i, want := range []string{"250", "250 2.1.5", "250 2.1.5", "250 2.1.5", "250 2.1.5", "550 5.1.1", "554 5.7.1"} {
		if !strings.HasPrefix(replies[i], want) {
			t.Errorf("%s, want %s", replies[i], want)
		}
	}
	if c := h.postfix.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
	if len(asked) > 0 {
		t.Error("somebody elsewhere was asked")
	}
}

// TestPostfixParametersOfPages: each parameter of Postfix that a page names exists, and Postfix warns of none: those
// are the names of up to 3.12 (src/postconf/postconf_unused.c, src/smtp/smtp.c). README.md has one for versions before
// 3.5.
func TestPostfixParametersOfPages(t *testing.T) {
	peer.Need(t, "postfix")
	out, err := exec.Command("postconf", "-dH").Output()
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(out))
	name := regexp.MustCompile(`\b(?:lmtp|smtpd|smtputf8|virtual|address_verify|unverified)_[a-z0-9_]+\b`)
	others := []string{"lmtp_ignore_quota", "smtputf8_advertise_hosts", // Exim's
		"lmtp_proxy", "lmtp_save_to_detail_mailbox", "lmtp_rcpt_check_quota", // Dovecot's
		"lmtp_passwd"} // a file
	warnedOf := regexp.MustCompile(`^lmtp_assume_final$|_(use_tls|enforce_tls|tls_per_site|tls_enforce_peername|` +
		`per_record_deadline|cname_overrides_servername|tls_dh1024_param_file|tls_eecdh_grade|` +
		`client_connection_limit_exceptions)$|^virtual_maps$`)
	pages, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range name.FindAllString(string(text), -1) {
			switch {
			case slices.Contains(others, n):
				continue
			case !slices.Contains(known, n):
				t.Errorf("%s: %s is no parameter of Postfix", page, n)
			case warnedOf.MatchString(n) && filepath.Base(page) != "README.md":
				t.Errorf("%s: Postfix warns of %s", page, n)
			}
			found++
		}
	}
	if found < 30 {
		t.Errorf("%d parameters found", found)
	}
}
