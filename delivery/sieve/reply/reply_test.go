package reply

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	gomessage "github.com/emersion/go-message"
)

func input(t *testing.T, text string) *sieve.Input {
	t.Helper()
	m, err := message.Read(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return &sieve.Input{
		Message: m, Envelope: sieve.Envelope{From: "bob@example.com", To: "alice@example.org"}, Now: time.Unix(1800000000, 0),
	}
}

const mail = "From: Bob <Bob@example.com>\r\nTo: \"Alice A.\" <alice@example.org>\r\nSubject: Hello\r\n" +
	"Message-ID: <2@x>\r\nReferences: <1@x>\r\n\r\n"

// TestVacation: what an answer looks like.
func TestVacation(t *testing.T) {
	for _, tt := range []struct {
		name, mail string
		v          sieve.Vacation
		o          Options
		want       []string
	}{
		{"plain", mail, sieve.Vacation{Reason: "I am away."}, Options{}, []string{
			"From: \"Alice A.\" <alice@example.org>\r\n", "To: Bob <Bob@example.com>\r\n", "Subject: Auto: Hello\r\n",
			"In-Reply-To: <2@x>\r\nReferences: <1@x>\r\n <2@x>\r\n", "Auto-Submitted: auto-replied (vacation)\r\n",
			"\r\n\r\nI am away.\r\n"}},
		{"subject and sender", mail, sieve.Vacation{Subject: "Grüße", From: "sales@example.org"}, Options{},
			[]string{"From: sales@example.org\r\n", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"}},
		{"MIME", mail, sieve.Vacation{MIME: true, Reason: "Content-Type: text/html\r\n\r\n<p>"}, Options{},
			[]string{"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>\r\n"}},
		{"no subject", "To: alice@example.org\r\n\r\n", sieve.Vacation{}, Options{}, []string{"Subject: Automated reply\r\n",
			"To: <bob@example.com>\r\n"}},
		{"template", mail, sieve.Vacation{}, Options{SubjectTemplate: "Re: %{subject} (away)"},
			[]string{"Subject: Re: Hello (away)\r\n"}},
		{"internationalized", "To: Jürgen <jürgen@xn--bcher-kva.example>\r\n\r\n",
			sieve.Vacation{Addresses: []string{"jürgen@bücher.example"}}, Options{},
			[]string{"From: Jürgen <jürgen@xn--bcher-kva.example>\r\n"}},
		{"any recipient", "To: list@example.net\r\n\r\n", sieve.Vacation{}, Options{AnyRecipient: true},
			[]string{"From: alice@example.org\r\n"}},
	} {
		m, why := Vacation(&tt.v, input(t, tt.mail), tt.o)
		if m == nil {
			t.Errorf("%s: %s", tt.name, why)
			continue
		}
		if m.From != "" || m.To != "bob@example.com" {
			t.Errorf("%s: from <%s> to <%s>", tt.name, m.From, m.To)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(m.Content), want) {
				t.Errorf("%s: %q is missing in\n%s", tt.name, want, m.Content)
			}
		}
	}
}

// TestNoVacation: mail that must not be answered, and why.
func TestNoVacation(t *testing.T) {
	for _, tt := range []struct{ name, from, to, extra, own string }{
		{"the null path", "", "alice@example.org", "", ""},
		{"no recipient", "bob@example.com", "", "", ""},
		{"ourselves", "Alice@Example.org", "alice@example.org", "", ""},
		{"one of ours", "bob@example.com", "alice@example.org", "", "BOB@example.com"},
		{"a daemon", "MAILER-DAEMON@x.example", "alice@example.org", "", ""},
		{"an owner", "owner-l@x.example", "alice@example.org", "", ""},
		{"a request", "l-request@x.example", "alice@example.org", "", ""},
		{"a list", "bob@example.com", "alice@example.org", "List-Id: <l>\r\n", ""},
		{"an automatic mail", "bob@example.com", "alice@example.org", "Auto-Submitted: auto-replied\r\n", ""},
		{"bulk", "bob@example.com", "alice@example.org", "Precedence: Bulk\r\n", ""},
		{"Exchange", "bob@example.com", "alice@example.org", "X-Auto-Response-Suppress: DR, OOF\r\n", ""},
	} {
		in := input(t, tt.extra+mail)
		in.Envelope = sieve.Envelope{From: tt.from, To: tt.to}
		v := &sieve.Vacation{Addresses: strings.Fields(tt.own)}
		if m, why := Vacation(v, in, Options{}); m != nil || why == "" {
			t.Errorf("%s is answered", tt.name)
		}
	}
	if m, _ := Vacation(&sieve.Vacation{}, input(t, "To: list@example.net\r\n\r\n"), Options{}); m != nil {
		t.Error("mail that does not name the account is answered")
	}
	if m, _ := Vacation(&sieve.Vacation{}, input(t, "Auto-Submitted: no\r\n"+mail), Options{}); m == nil {
		t.Error("mail that is not automatic is not answered")
	}
}

// TestRedirected: the header of what is sent on, which is sent on once.
func TestRedirected(t *testing.T) {
	in := input(t, "Return-Path: <bob@example.com>\r\n"+mail)
	header, ok := Redirected(in.Message.Header, "alice@example.org")
	if !ok || header[0].Value() != "alice@example.org" || header[1].Key() != "from" {
		t.Errorf("%v", header)
	}
	if _, ok := Redirected(header, "other@example.org", "Alice@EXAMPLE.org"); ok {
		t.Error("a circle is not found")
	}
}

// TestNotify: a mail for each recipient, and none about automatic mail.
func TestNotify(t *testing.T) {
	n := &sieve.Notify{
		To: message.ParseAddresses("a@b.example"), Cc: message.ParseAddresses("Jürgen <c@d.example>"), Importance: "1",
		Subject: "Grüße",
	}
	list := Notify(n, input(t, mail), Options{Host: "mx.example.org"}, "postmaster@example.org")
	if len(list) != 2 || list[0].To != "a@b.example" || list[1].To != "c@d.example" ||
		list[0].From != "postmaster@example.org" {
		t.Fatalf("%+v", list)
	}
	for _, want := range []string{
		"X-Priority: 1 (High)\r\nImportance: high\r\n",
		"From: Postmaster <postmaster@mx.example.org>\r\n", "To: a@b.example\r\n",
		"Cc: =?utf-8?q?J=C3=BCrgen?= <c@d.example>\r\n", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n",
		"Auto-Submitted: auto-notified; owner-email=\"alice@example.org\"\r\n", "\r\n\r\nNotification of new message.\r\n",
	} {
		if !strings.Contains(string(list[1].Content), want) {
			t.Errorf("%q is missing in\n%s", want, list[1].Content)
		}
	}
	in := input(t, mail)
	in.Envelope.From = ""
	if list := Notify(n, in, Options{}, "postmaster@example.org"); len(list) != 2 || list[0].From != "" {
		t.Errorf("of a mail from nobody: %+v", list)
	}
	if list := Notify(n, input(t, "Auto-Submitted: auto-notified\r\n"+mail), Options{}, ""); list != nil {
		t.Errorf("of an automatic mail: %+v", list)
	}
}

// TestReport: a report of abuse has the three parts of RFC 5965 §2, which a reader of MIME finds.
func TestReport(t *testing.T) {
	const eai = "From: jürgen@bücher.example\r\nSubject: Grüße\r\n\r\nHello\r\n"
	big := mail + strings.Repeat("0123456789abcde\r\n", maxReported/16)
	for _, tt := range []struct {
		name, mail string
		a          sieve.Report
		o          Options
		from       string
		kinds      string // of the third part
		want       []string
		not        string
	}{
		{"whole", mail + "Buy!\nNow\n", sieve.Report{Type: "abuse", Message: "This is spam.\r\nReally."}, Options{}, "",
			"message/rfc822", []string{"Subject: Report: Hello\r\n", "From: Postmaster <postmaster@example.org>\r\n",
				"\r\nAuto-Submitted: auto-generated (report)\r\n", "\r\n\r\nThis is spam.\r\nReally.\r\n",
				"Feedback-Type: abuse\r\nUser-Agent: Doorstep\r\nVersion: 1\r\n", "Original-Mail-From: <bob@example.com>\r\n",
				"Original-Rcpt-To: <alice@example.org>\r\n", "\r\n\r\nBuy!\r\nNow\r\n"}, ""},
		{"header", mail + "Buy!\r\n", sieve.Report{Type: "fraud", HeadersOnly: true}, Options{Host: "mx.example.org"},
			"abuse@example.org", "text/rfc822-headers", []string{"From: abuse@example.org\r\n", "Subject: Hello\r\n"}, "Buy!"},
		{"large", big, sieve.Report{Type: "abuse"}, Options{}, "", "text/rfc822-headers", nil, "0123456789abcde"},
		{"internationalized", eai, sieve.Report{Type: "abuse", Message: "ü"},
			Options{Own: []string{"jürgen@bücher.example"}}, "", "message/global",
			[]string{"Subject: =?utf-8?q?Report:_Gr=C3=BC=C3=9Fe?=\r\n", "Content-Transfer-Encoding: 8bit"},
			"Reporting-User"},
		{"internationalized header", eai, sieve.Report{Type: "abuse", HeadersOnly: true}, Options{}, "",
			"message/global-headers", []string{"Dovecot-Reporting-User: <alice@example.org>"}, "Hello"},
		{"no subject", "To: x\r\n\r\n", sieve.Report{Type: "abuse"}, Options{Own: []string{"own@example.org"}}, "",
			"message/rfc822", []string{"Subject: Report: (message without subject)\r\n",
				"Dovecot-Reporting-User: <own@example.org>\r\n"}, ""},
		{"subject of several lines", "Subject: =?utf-8?q?a=0D=0AX-Evil:_1?=\r\n\r\n", sieve.Report{Type: "abuse"},
			Options{}, "", "message/rfc822", []string{"Subject: Report: a X-Evil: 1\r\n"}, "\nX-Evil"},
	} {
		tt.a.To = "abuse@example.com"
		m, why, err := Report(&tt.a, input(t, tt.mail), tt.o, tt.from)
		if err != nil || m == nil {
			t.Errorf("%s: %s, %v", tt.name, why, err)
			continue
		}
		text := string(m.Content)
		if m.From != "" || m.To != "abuse@example.com" {
			t.Errorf("%s: from <%s> to <%s>", tt.name, m.From, m.To)
		}
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it lacks %q:\n%.2000s", tt.name, want, text)
			}
		}
		if tt.not != "" && strings.Contains(text, tt.not) {
			t.Errorf("%s: it has %q:\n%.2000s", tt.name, tt.not, text)
		}
		if rest := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
			t.Errorf("%s: a line does not end with CRLF", tt.name)
		}
		if got, want := strings.Join(kinds(t, text), " "), "text/plain message/feedback-report "+tt.kinds; got != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
}

// kinds are the content types of the parts of a report.
func kinds(t *testing.T, text string) (list []string) {
	t.Helper()
	m, err := gomessage.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := m.Header.ContentType()
	if err != nil || kind != "multipart/report" || params["report-type"] != "feedback-report" {
		t.Errorf("%s %v, %v", kind, params, err)
	}
	parts := m.MultipartReader()
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil && !gomessage.IsUnknownCharset(err) {
			t.Fatal(err)
		}
		kind, _, err := part.Header.ContentType()
		if err != nil {
			t.Error(err)
		}
		list = append(list, kind)
	}
}

// TestNoReport: mail that no report is sent of, so that two who report to one another come to an end.
func TestNoReport(t *testing.T) {
	for mail, to := range map[string]string{
		"Subject: a\r\n\r\n": "Alice@Example.ORG",
		"Subject: b\r\n\r\n": "other@example.org",
		"Content-Type: multipart/report; report-type=Feedback-Report; boundary=x\r\n\r\n": "abuse@example.com",
	} {
		o := Options{Own: []string{"other@example.org"}}
		m, why, err := Report(&sieve.Report{Type: "abuse", To: to}, input(t, mail), o, "")
		if m != nil || why == "" || err != nil {
			t.Errorf("%s: %v, %q, %v", mail, m, why, err)
		}
	}
}

// TestNeeds: what a server has to offer for a mail.
func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		m              Mail
		utf8, eightBit bool
	}{
		{Mail{To: "a@b.example", Content: []byte("Subject: a\r\n\r\nb\r\n")}, false, false},
		{Mail{To: "a@b.example", Content: []byte("Subject: a\r\n\r\n\u00fc\r\n")}, false, true},
		{Mail{To: "a@b.example", Content: []byte("To: \u00fc@b.example\r\n\r\nb\r\n")}, true, true},
		{Mail{To: "\u00fc@b.example", Content: []byte("Subject: a\r\n\r\nb\r\n")}, true, false},
		{Mail{From: "a@\u00fc.example", To: "a@b.example", Content: []byte("Subject: a\r\n\r\nb\r\n")}, true, false},
	} {
		if utf8, eightBit := tt.m.Needs(); utf8 != tt.utf8 || eightBit != tt.eightBit {
			t.Errorf("%q: %v, %v", tt.m.Content, utf8, eightBit)
		}
	}
}
