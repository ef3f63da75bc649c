package peer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// inject hands a message to Postfix.
func inject(t *testing.T, p *Postfix, m client.Message) {
	t.Helper()
	c, err := client.Dial(t.Context(), p.Addr, client.Options{Protocol: client.ESMTP})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Recipients {
		if !o.Delivered() {
			t.Fatalf("Postfix refused %s: %s", o.To, o.Final)
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPostfixDeliversToLMTP(t *testing.T) {
	Need(t, "postfix")
	s := startSink(t)
	p := StartPostfix(t, PostfixConfig{Deliver: "lmtp:unix:" + s.socket,
		Domains: []string{"dst.example", "例え.example", "src.example"}})
	inject(t, p, client.Message{
		From: "sender@src.example", To: client.To("用户@例え.example", "bob@dst.example", "nobody@dst.example"),
		Content: strings.NewReader("Subject: é\n\n.\nbody\n"), Body: "8BITMIME",
	})
	p.AwaitIdle(time.Minute)

	commands, contents := s.got()
	for _, want := range []string{"MAIL FROM:<sender@src.example> ", "RCPT TO:<用户@例え.example>",
		"RCPT TO:<bob@dst.example>", "RCPT TO:<nobody@dst.example>", "MAIL FROM:<> ", "RCPT TO:<sender@src.example>"} {
		if !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(c, want) }) {
			t.Errorf("no %q among %q", want, commands)
		}
	}
	if !slices.ContainsFunc(contents, func(c string) bool {
		return strings.HasPrefix(c, "Received: ") && strings.HasSuffix(c, "\r\nSubject: é\r\n\r\n..\r\nbody\r\n")
	}) {
		t.Errorf("message not among %q", contents)
	}
	if !slices.ContainsFunc(contents, func(c string) bool { return strings.Contains(c, "Status: 5.1.1\r\n") }) {
		t.Errorf("no bounce among %q", contents)
	}

	var got []string
	for _, d := range p.Deliveries() {
		got = append(got, fmt.Sprintf("%s %s %s", d.To, d.DSN, d.Status))
	}
	slices.Sort(got)
	want := []string{
		"bob@dst.example 2.0.0 sent", "nobody@dst.example 5.1.1 bounced",
		"sender@src.example 2.0.0 sent", "用户@例え.example 2.0.0 sent",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
}

func TestPostfixDefersAndFlushes(t *testing.T) {
	Need(t, "postfix")
	absent := filepath.Join(Dir(t), "absent")
	p := StartPostfix(t, PostfixConfig{Deliver: "lmtp:unix:" + absent, Domains: []string{"dst.example"},
		Params: []string{"minimal_backoff_time = 1h", "maximal_backoff_time = 1h"}})
	inject(t, p, client.Message{To: client.To("bob@dst.example")})
	Await(t, time.Minute, "the message to be deferred", func() bool { return len(p.Deliveries()) == 1 })
	if d := p.Deliveries()[0]; d.Status != "deferred" || p.queued() == 0 {
		t.Errorf("%+v, %d queued", d, p.queued())
	}
	s := startSink(t)
	if err := os.Symlink(s.socket, absent); err != nil {
		t.Fatal(err)
	}
	p.Flush()
	p.AwaitIdle(time.Minute)
	if _, contents := s.got(); len(contents) != 1 {
		t.Errorf("delivered %q", contents)
	}
}

func TestDovecotReadsMaildir(t *testing.T) {
	Need(t, "dovecot")
	dir := Dir(t)
	maildir := filepath.Join(dir, "josé x", "Maildir")
	content := "Subject: é\n\n\x00\x80body\n.\n"
	for _, d := range []string{"", "tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(maildir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(maildir, "new", "1.one.host"), strings.TrimSuffix(content, "\n"))
	write(t, filepath.Join(maildir, "cur", "2.two.host:2,S"), "", "second")
	chown(t, filepath.Dir(maildir), MailUser, MailUser)

	d := StartDovecot(t, DovecotConfig{Users: []DovecotUser{{Name: "josé@例え.example", Maildir: maildir}}, UID: MailUser,
		GID: MailUser})
	c, err := DialIMAP(d.Addr, "josé@例え.example", Password)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Examine("INBOX"); n != 2 || err != nil {
		t.Fatalf("%d messages, %v", n, err)
	}
	for i, want := range []string{strings.ReplaceAll(content, "\n", "\r\n"), "\r\nsecond\r\n"} {
		size, got, err := c.Fetch(i + 1)
		// IMAP has no NUL in literals: Dovecot gives 0x80 for it.
		want = strings.ReplaceAll(want, "\x00", "\x80")
		if err != nil || string(got) != want || size != len(want) {
			t.Errorf("message %d: size %d, %q, %v", i+1, size, got, err)
		}
	}
	if _, _, err := c.Fetch(3); err == nil {
		t.Error("fetched a message that is not there")
	}
	if err := c.Logout(); err != nil {
		t.Error(err)
	}
	if _, err := DialIMAP(d.Addr, "josé@例え.example", "wrong"); err == nil {
		t.Error("logged in with a wrong password")
	}
	if c := d.Complaints(); len(c) > 0 {
		t.Errorf("Dovecot complains: %q", c)
	}
}

func TestDovecotDeliversByLMTP(t *testing.T) {
	Need(t, "dovecot", "dovecot-lmtp")
	maildir := filepath.Join(MailDir(t), "bob")
	d := StartDovecot(t, DovecotConfig{Users: []DovecotUser{{Name: "bob@dst.example", Maildir: maildir}}, UID: MailUser,
		GID: MailUser, LMTP: true})
	c, err := client.Dial(t.Context(), "unix:"+d.LMTPSocket, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{To: client.To("bob@dst.example", "nobody@dst.example"),
		Content: strings.NewReader("Subject: x\n\n.\n")})
	if err != nil {
		t.Fatal(err)
	}
	if o := r.Recipients; !o[0].Delivered() || o[1].Final.Enhanced != "5.1.1" {
		t.Errorf("outcomes %+v", o)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(maildir + "/new/*")
	if err != nil || len(files) != 1 || !strings.HasSuffix(read(t, files[0]), "\nSubject: x\n\n.\n") {
		t.Errorf("files %q, %v", files, err)
	}
	if c := d.Complaints(); len(c) > 0 {
		t.Errorf("Dovecot complains: %q", c)
	}
}

// chown changes the owner of a tree.
func chown(t *testing.T, root string, uid, gid int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chown(path, uid, gid)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSwaksSpeaksLMTP(t *testing.T) {
	Need(t, "swaks")
	s := startSink(t)
	out, err := Swaks(t, "--protocol", "LMTP", "--socket", s.socket, "--from", "a@src.example", "--to", "bob@dst.example",
		"--body", "hello")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands, contents := s.got()
	if d := cmp.Diff([]string{"MAIL FROM:<a@src.example>", "RCPT TO:<bob@dst.example>"}, commands); d != "" {
		t.Error(d)
	}
	if len(contents) != 1 || !strings.Contains(contents[0], "\r\n\r\nhello\r\n") {
		t.Errorf("contents %q", contents)
	}
	if out, err := Swaks(t, "--protocol", "LMTP", "--socket", s.socket, "--from", "a@src.example", "--to",
		"nobody@dst.example"); err == nil {
		t.Errorf("an unknown recipient is no error:\n%s", out)
	}
}

func TestStopEndsAProgram(t *testing.T) {
	p := Start(t, exec.Command("sh", "-c", "echo ready; sleep 1000 & wait"))
	Await(t, time.Minute, "output", func() bool { return p.Output() == "ready\n" })
	p.Stop()
	if err := p.Err(); err == nil {
		t.Error("a program that was stopped ended well")
	}
	p.Stop() // a second time does nothing
}
