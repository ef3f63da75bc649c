package e2e_test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A dsnMTA is an MTA that hands mail to Doorstep, and takes its reports.
type dsnMTA struct {
	attempting
	addr       string // its SMTP server
	submission string // where it takes reports
	group      string // whose socket that is, if it is a group's
	again      func() // tries what was deferred
	failed     string // what it calls a failure
}

// newDSNMTA is one that listens at addr, and tries again by itself.
func newDSNMTA(a attempting, addr string) dsnMTA {
	return dsnMTA{attempting: a, addr: addr, submission: "tcp:" + addr, again: func() {}, failed: "failed"}
}

// awaitSent waits until n messages to a recipient are delivered.
func (m dsnMTA) awaitSent(t *testing.T, to string, n int) {
	t.Helper()
	peer.Await(t, time.Minute, "a message to be delivered to "+to, func() bool {
		m.again()
		sent := 0
		for _, d := range m.Deliveries() {
			if d.To == to && d.Status == "sent" {
				sent++
			}
		}
		return sent == n
	})
}

// dsnWays are those by which an MTA hands mail over, by their names in the table of docs/dsn.md.
var dsnWays = []struct {
	name, need string
	start      func(t *testing.T, s *site) dsnMTA
}{
	{"Postfix, `lmtp` on a Unix socket", "postfix", func(t *testing.T, s *site) dsnMTA {
		mta := dsnPostfix(t, "lmtp:"+s.unix)
		mta.postfix.Run(recipe(t, "docs/dsn.md", "dsn postfix"))
		socket := mta.postfix.Queue() + "/public/doorstep"
		mta.submission, mta.group = "unix:"+socket, "postdrop"
		peer.AwaitListener(t, mta.postfix.Process, "unix", socket)
		return mta.dsnMTA
	}},
	{"Postfix, `lmtp` by TCP", "postfix", func(t *testing.T, s *site) dsnMTA {
		return dsnPostfix(t, "lmtp:inet:"+s.tcp).dsnMTA
	}},
	{"Exim, `smtp` transport", "exim4", func(t *testing.T, s *site) dsnMTA {
		_, port, _ := strings.Cut(s.tcp, ":")
		main, transport, _ := strings.Cut(recipe(t, "docs/dsn.md", "dsn exim"), "\ndoorstep:\n")
		return dsnExim(t, peer.EximConfig{Main: strings.Split(main, "\n"),
			Transport: strings.Split(strings.Replace(transport, "2424", port, 1), "\n")})
	}},
	{"Exim, `lmtp` transport", "exim4", func(t *testing.T, s *site) dsnMTA {
		return dsnExim(t, peer.EximConfig{Main: []string{"dsn_advertise_hosts = *"}, Deliver: s.unix})
	}},
	{"OpenSMTPD, `mail.lmtp`", "opensmtpd", func(t *testing.T, s *site) dsnMTA {
		mta := dsnOpenSMTPD(t, s.unix, unknownC) // it takes every refusal for a temporary one
		mta.failed = "delayed"                   // and calls so even what it has given up
		return mta
	}},
	{"OpenSMTPD, `relay` to `lmtp://`", "opensmtpd", func(t *testing.T, s *site) dsnMTA {
		return dsnOpenSMTPD(t, "lmtp://"+s.tcp, "")
	}},
	{"OpenSMTPD, `relay` to `smtp://`", "opensmtpd", func(t *testing.T, s *site) dsnMTA {
		_, target, _ := strings.Cut(recipe(t, "docs/dsn.md", "dsn opensmtpd"), ` relay host "`)
		target, _, _ = strings.Cut(target, `"`)
		return dsnOpenSMTPD(t, strings.Replace(target, "127.0.0.1:2525", s.esmtp, 1), "")
	}},
	{"Sendmail, its LMTP mailer", "sendmail", func(t *testing.T, s *site) dsnMTA {
		m := s.startSendmail(t)
		return newDSNMTA(m, m.Addr)
	}},
}

// A reportingPostfix is one with tools.
type reportingPostfix struct {
	dsnMTA
	postfix *peer.Postfix
}

func dsnPostfix(t *testing.T, deliver string) reportingPostfix {
	t.Helper()
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: deliver, Domains: []string{"dst.example", "src.example"},
		Params: []string{"virtual_alias_maps = inline:{ { list@dst.example = " + goodA + " } }"}})
	for line := range strings.Lines(recipe(t, "README.md", "postfix lmtp")) {
		p.Run(strings.TrimPrefix(line, "# "))
	}
	return reportingPostfix{newDSNMTA(p, p.Addr), p}
}

func dsnExim(t *testing.T, c peer.EximConfig) dsnMTA {
	t.Helper()
	e := peer.StartExim(t, c)
	return newDSNMTA(e, e.Addr)
}

func dsnOpenSMTPD(t *testing.T, deliver, brief string) dsnMTA {
	t.Helper()
	o := peer.StartOpenSMTPD(t, peer.OpenSMTPDConfig{Deliver: deliver, TTL: time.Hour, Brief: brief})
	mta := newDSNMTA(o, o.Addr)
	mta.again = o.Flush
	return mta
}

// dsnCases are messages, each of a sender of its own, who gets the reports. What they come to is "success", "failure",
// "part" for a mailbox of an alias that was left out, which only Doorstep knows of, or nothing.
var dsnCases = []struct{ sender, notify, to, report string }{
	{"success", "SUCCESS", goodA, "success"},
	{"both", "SUCCESS,FAILURE", goodB, "success"},
	{"silent", "", goodA, ""},
	{"never", "NEVER", goodA, ""},
	{"failure", "FAILURE", goodA, ""},
	{"alias", "SUCCESS", "sales@dst.example", "success"},
	{"unknown", "SUCCESS,FAILURE", unknownC, "failure"},
	{"part", "", partOfAlias, "part"},
	{"late", "SUCCESS", fullD, "success"},
	{"", "SUCCESS", goodA, ""}, // RFC 3461 §5.2: there is no one to report to
}

// partOfAlias is an alias of which one mailbox is disabled for good.
const partOfAlias = "part@dst.example"

// dsnSender is an account of src.example.
func dsnSender(name string) siteAccount {
	return siteAccount{address: name + "@src.example", path: "src.example/" + name}
}

// dsnAccounts is the configuration of the senders.
func dsnAccounts() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[user]]\naddress = \"gone@dst.example\"\ndisabled = \"reject\"\n"+
		"[[alias]]\naddress = %q\nto = [\"gone@dst.example\", %q]\n", partOfAlias, goodB)
	for _, c := range dsnCases {
		if c.sender != "" {
			fmt.Fprintf(&b, "[[user]]\naddress = %q\n", dsnSender(c.sender).address)
		}
	}
	return b.String()
}

// submission is the configuration by which Doorstep reports to an MTA.
func (s *site) submission(server string, more ...string) string {
	return fmt.Sprintf("[submission]\nserver = %q\noutbox = %q\n%s\n", server, s.outbox(), strings.Join(more, "\n"))
}

func (s *site) outbox() string { return filepath.Join(filepath.Dir(s.store), "outbox") }

// awaitReported waits until nothing is under way, neither with the MTA nor with Doorstep, whose reports the MTA takes.
func (s *site) awaitReported(t *testing.T, mta attempting) {
	t.Helper()
	mta.AwaitIdle(time.Minute)
	peer.Await(t, time.Minute, "the outbox to be empty", func() bool { return s.waiting(t) == 0 })
	mta.AwaitIdle(time.Minute)
}

// waiting counts the reports in the outbox.
func (s *site) waiting(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.outbox(), "new"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(entries)
}

// ask hands a message of a sender to an MTA, with what it asks for. Its envelope identifier is the sender's name.
func ask(t *testing.T, addr string, m client.Message) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Content == nil {
		m.Content = strings.NewReader("From: <" + m.From + ">\nSubject: hello\nMessage-ID: <" + m.EnvelopeID +
			"@src.example>\nDate: Sat, 28 Nov 2026 12:00:00 +0000\n\nHello.\n")
	}
	r, err := c.Send(t.Context(), m)
	if err != nil {
		t.Fatalf("%s: %v", m.From, err)
	}
	for _, o := range r.Recipients {
		if !o.Delivered() {
			t.Fatalf("refused %s: %s", o.To, o.Final)
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A dsnReport is what a report says: who made it, of what.
type dsnReport struct{ by, action, recipient, text string }

var reportFields = regexp.MustCompile(`(?mi)^(Reporting-MTA: *dns; *|Action: *|Final-Recipient: *(?:rfc822|utf-8); *)(\S+)`)

// reports are those in the mailbox of a sender, which holds nothing else.
func (s *site) reports(t *testing.T, a siteAccount) (list []dsnReport) {
	t.Helper()
	for _, text := range s.messages(t, a) {
		r := dsnReport{text: text}
		for _, m := range reportFields.FindAllStringSubmatch(text, -1) {
			switch strings.ToLower(m[1][:1]) {
			case "r":
				r.by = m[2]
			case "a":
				r.action = m[2]
			case "f":
				r.recipient = m[2]
			}
		}
		if !strings.HasPrefix(text, "Return-Path: <>\n") || r.by == "" {
			t.Errorf("%s: not a report: %s", a.address, text)
		}
		list = append(list, r)
	}
	return list
}

// reporters are the words of the table for the names in reports.
var reporters = map[string]string{"store.example": "Doorstep", "mx.example": "the MTA"}

// String is what the table of the page has.
func (r dsnReport) String() string { return reporters[r.by] + ": " + r.action }

// A dsnRow is what the page says of a way: who reports, as what, where Doorstep offers DSN and where it does not.
type dsnRow struct{ offered, not string }

// dsnTable reads the table.
func dsnTable(t *testing.T) map[string]dsnRow {
	t.Helper()
	text, err := os.ReadFile("../../../docs/dsn.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]dsnRow{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) == 3 && strings.Contains(cells[1], ": ") {
			rows[cells[0]] = dsnRow{strings.ReplaceAll(cells[1], "*", ""), cells[2]}
		}
	}
	return rows
}

// TestWhoReports: a sender who asked for it has one report when the message is in the mailbox, by whom docs/dsn.md
// says, and none otherwise: never two, and never none because each left it to the other. A message goes from the MTA
// to Doorstep, the report back to the MTA, and through Doorstep into the sender's mailbox.
func TestWhoReports(t *testing.T) {
	t.Parallel()
	table := dsnTable(t)
	if len(table) != len(dsnWays) {
		t.Errorf("docs/dsn.md has %d ways, tested are %d", len(table), len(dsnWays))
	}
	for _, way := range dsnWays {
		t.Run(strings.ReplaceAll(way.name, "`", ""), func(t *testing.T) {
			t.Parallel()
			peer.Need(t, way.need)
			row, ok := table[way.name]
			if !ok {
				t.Fatal("docs/dsn.md does not say who reports")
			}
			s := planSite(t)
			mta := way.start(t, s)
			s.start(t, dsnAccounts()+s.submission(mta.submission), mta.groups(t)...)
			s.fillBox(t, s.account(t, fullD))
			for _, c := range dsnCases {
				m := client.Message{EnvelopeID: "case-" + c.sender, To: []client.Recipient{{Address: c.to, Notify: c.notify}}}
				if c.sender != "" {
					m.From = dsnSender(c.sender).address
				}
				ask(t, mta.addr, m)
			}
			peer.Await(t, time.Minute, "an attempt for the full mailbox",
				func() bool { return attempted(mta.Deliveries(), fullD) })
			if n := len(s.reports(t, dsnSender("late"))); n != 0 {
				t.Errorf("%d reports of a message that is not delivered", n)
			}
			s.emptyBox(t, s.account(t, fullD))
			mta.awaitSent(t, fullD, 1)
			s.awaitReported(t, mta)
			s.checkReported(t, mta, row.offered)
			s.checkUnoffered(t, mta, row.not)
		})
	}
}

// groups are those that Doorstep needs to be in.
func (m dsnMTA) groups(t *testing.T) (list []uint32) {
	t.Helper()
	if m.group == "" {
		return nil
	}
	g, err := user.LookupGroup(m.group)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return append(list, uint32(gid))
}

// checkReported wants of each case the reports that it comes to, those of success by whom and as what the page says.
func (s *site) checkReported(t *testing.T, mta dsnMTA, success string) {
	t.Helper()
	mail := 0
	for _, c := range dsnCases {
		if c.to == goodA || c.to == "sales@dst.example" {
			mail++
		}
		want := map[string]string{
			"success": success, "failure": "the MTA: " + mta.failed, "part": "Doorstep: failed",
		}[c.report]
		if c.sender == "" {
			continue // it would be in no mailbox but the postmaster's, below
		}
		list := s.reports(t, dsnSender(c.sender))
		switch {
		case want == "" && len(list) == 0:
			continue
		case want == "" || len(list) != 1 || list[0].String() != want:
			t.Errorf("%s: %d reports: %v, want %q", c.sender, len(list), list, want)
			continue
		case list[0].recipient != c.to:
			t.Errorf("%s: report on %s, want %s", c.sender, list[0].recipient, c.to)
		}
		for _, part := range []string{"\nContent-Type: multipart/report; report-type=delivery-status;\n",
			"\nOriginal-Envelope-Id: case-" + c.sender + "\n", "\nStatus: 2.1.5\n", "\nMessage-ID: <case-" + c.sender + "@"} {
			if list[0].by == "store.example" && c.report != "part" && !strings.Contains(list[0].text, part) {
				t.Errorf("%s: no %q in %s", c.sender, part, list[0].text)
			}
		}
	}
	if got := s.messages(t, s.account(t, goodA)); len(got) != mail {
		t.Errorf("%s has %d messages, want %d", goodA, len(got), mail)
	}
	if got := s.messages(t, s.account(t, mixFrom)); len(got) != 0 {
		t.Errorf("the postmaster has mail: %q", got)
	}
}

// checkUnoffered wants one report more, by whom and as what the page says of a Doorstep that offers no DSN.
func (s *site) checkUnoffered(t *testing.T, mta dsnMTA, want string) {
	t.Helper()
	s.process.Stop()
	s.start(t, dsnAccounts())
	sender := dsnSender("silent")
	ask(t, mta.addr, client.Message{From: sender.address, EnvelopeID: "alone",
		To: []client.Recipient{{Address: goodB, Notify: "SUCCESS"}}})
	mta.awaitSent(t, goodB, 2) // a session that was open is deferred
	mta.AwaitIdle(time.Minute)
	if list := s.reports(t, sender); len(list) != 1 || list[0].String() != want {
		t.Errorf("without DSN: %d reports: %v, want %q", len(list), list, want)
	}
}
