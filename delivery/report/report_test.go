package report_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/report"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/emersion/go-message"
	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a
}

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// delivered is of a message from a sender to recipients.
func delivered(t testing.TB, sender string, to ...string) *report.Delivered {
	t.Helper()
	d := &report.Delivered{
		Hostname: "mx.dst.example",
		From:     "Mail Delivery System <postmaster@dst.example>",
		Sender:   parse(t, sender),
		Arrived:  now.Add(-time.Second),
		Header:   []byte("From: s@src.example\nMessage-ID: <1@src.example>\nSubject: x\n"),
	}
	for _, s := range to {
		d.Recipients = append(d.Recipients, report.Recipient{Final: parse(t, s)})
	}
	return d
}

// everything is what a server may offer.
var everything = report.Offer{SMTPUTF8: true, DSN: true}

func written(t testing.TB, d *report.Delivered, o report.Offer) (m client.Message, content string) {
	t.Helper()
	m, err := d.Message(o, now, "id@mx.dst.example")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(m.Content)
	if err != nil {
		t.Fatal(err)
	}
	return m, string(text)
}

// A read is a report as its reader has it: decoded.
type read struct {
	kind  string   // its Content-Type, without parameters
	kinds []string // of its parts, with their encodings
	parts []string
}

func readReport(t testing.TB, content string) (r read, h message.Header) {
	t.Helper()
	e, err := message.Read(strings.NewReader(content))
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	r.kind, _, _ = e.Header.ContentType()
	parts := e.MultipartReader()
	for {
		p, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return r, e.Header
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		kind, params, _ := p.Header.ContentType()
		delete(params, "charset") // the reader converts it
		text, err := io.ReadAll(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.kinds = append(r.kinds, kind+" "+p.Header.Get("Content-Transfer-Encoding"))
		r.parts = append(r.parts, string(text))
	}
}

// DSN-05, DSN-06, DSN-20, DSN-21: form A, octet for octet.
func TestForm(t *testing.T) {
	d := delivered(t, "s@src.example", "u1@dst.example")
	d.EnvelopeID = "QQ+1"
	d.Recipients[0].Original = address.Original{Type: "rfc822", Address: "staff+tag@dst.example"}
	m, content := written(t, d, everything)
	if m.From != "" || m.Return != "" || m.EnvelopeID != "" || m.UTF8 != client.UTF8Auto || m.Body != "" {
		t.Errorf("envelope %+v", m)
	}
	if diff := cmp.Diff([]client.Recipient{{Address: "s@src.example", Notify: "NEVER"}}, m.To); diff != "" {
		t.Error(diff)
	}
	boundary := content[strings.Index(content, "\r\n--")+len("\r\n--"):]
	boundary = boundary[:strings.Index(boundary, "\r\n")]
	const want = `From: Mail Delivery System <postmaster@dst.example>
To: s@src.example
Subject: Your message was delivered
Date: Sat, 28 Nov 2026 12:00:00 +0000
Message-Id: <id@mx.dst.example>
In-Reply-To: <1@src.example>
References: <1@src.example>
Auto-Submitted: auto-replied
Mime-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="BOUNDARY"

--BOUNDARY
Content-Type: text/plain; charset=us-ascii
Content-Transfer-Encoding: 7bit

Your message was delivered. It is in the mailbox of

    u1@dst.example
      as you sent it to staff+tag@dst.example

Your mail program asked for this report. It does not say whether the message was read.

The mail server mx.dst.example

--BOUNDARY
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Original-Envelope-Id: QQ+1
Reporting-MTA: dns; mx.dst.example
Arrival-Date: Sat, 28 Nov 2026 11:59:59 +0000

Original-Recipient: rfc822; staff+tag@dst.example
Final-Recipient: rfc822; u1@dst.example
Action: delivered
Status: 2.1.5

--BOUNDARY
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: 7bit

From: s@src.example
Message-ID: <1@src.example>
Subject: x

--BOUNDARY--
`
	got := strings.ReplaceAll(strings.ReplaceAll(content, boundary, "BOUNDARY"), "\r\n", "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// DSN-22: nothing needs SMTPUTF8 that the sender's own address does not.
func TestForms(t *testing.T) {
	const ascii, utf8Header = "Subject: x\r\n", "Subject: Grüße\r\n"
	plain := []string{"text/plain 7bit", "message/delivery-status 7bit", "text/rfc822-headers 7bit"}
	for name, tt := range map[string]struct {
		sender, to, header string
		kinds              []string
		international      bool
		fields             string
	}{
		"ASCII":           {"s@src.example", "u1@dst.example", ascii, plain, false, "rfc822; u1@dst.example"},
		"sender's domain": {"s@bücher.example", "u1@dst.example", ascii, plain, false, "rfc822; u1@dst.example"},
		"recipient's domain": {"s@src.example", "u1@bücher.example", ascii,
			[]string{"text/plain base64", plain[1], plain[2]}, false, "rfc822; u1@xn--bcher-kva.example"},
		"recipient": {"s@src.example", "用户@dst.example", ascii, []string{"text/plain base64", plain[1], plain[2]}, false,
			`utf-8; \x{7528}\x{6237}@dst.example`},
		"header": {"s@src.example", "u1@dst.example", utf8Header,
			[]string{plain[0], plain[1], "message/global-headers base64"}, false, "rfc822; u1@dst.example"},
		"all": {"josé@src.example", "用户@bücher.example", utf8Header,
			[]string{"text/plain 8bit", "message/global-delivery-status 8bit", "message/global-headers 8bit"}, true,
			"utf-8; 用户@bücher.example"},
		"sender": {"josé@src.example", "u1@dst.example", ascii,
			[]string{plain[0], "message/global-delivery-status 8bit", plain[2]}, true, "rfc822; u1@dst.example"},
		"header in Latin-1": {"s@src.example", "u1@dst.example", "Subject: Gr\xfc\xdfe\r\n",
			[]string{plain[0], plain[1], "text/rfc822-headers quoted-printable"}, false, "rfc822; u1@dst.example"},
		"header with NUL": {"s@src.example", "u1@dst.example", "Subject: \x00\r\n",
			[]string{plain[0], plain[1], "text/rfc822-headers quoted-printable"}, false, "rfc822; u1@dst.example"},
		"header of a long line": {"josé@src.example", "u1@dst.example", "Subject: ü" + strings.Repeat("x", 999) + "\r\n",
			[]string{plain[0], "message/global-delivery-status 8bit", "message/global-headers base64"}, true,
			"rfc822; u1@dst.example"},
		"recipient of a long line": {"s@src.example", strings.Repeat("ü", 240) + "@dst.example", ascii,
			[]string{"text/plain base64", "message/global-delivery-status base64", plain[2]}, false, "utf-8; üüü"},
	} {
		t.Run(name, func(t *testing.T) {
			d := delivered(t, tt.sender, tt.to)
			d.Header = []byte(tt.header)
			m, content := written(t, d, everything)
			got, h := readReport(t, content)
			if diff := cmp.Diff(tt.kinds, got.kinds); diff != "" || got.kind != "multipart/report" {
				t.Errorf("%s %s", got.kind, diff)
			}
			if !strings.Contains(got.parts[1], tt.fields) || got.parts[2] != tt.header {
				t.Errorf("%q", got.parts)
			}
			if (m.UTF8 == client.UTF8Always) != tt.international ||
				(h.Get("Content-Transfer-Encoding") == "8bit") != tt.international {
				t.Errorf("SMTPUTF8 %v, header %v", m.UTF8, h)
			}
			if err := m.Check(); err != nil || m.To[0].Address != h.Get("To") ||
				tt.international && m.To[0].Address != tt.sender {
				t.Errorf("to %q, %q: %v", m.To[0].Address, h.Get("To"), err)
			}
			for line := range strings.Lines(content) {
				if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") ||
					!tt.international && strings.ContainsFunc(line, above7bit) {
					t.Errorf("line %q", line)
				}
			}
			_, plainOffer := written(t, delivered(t, "s@src.example", tt.to), report.Offer{})
			if _, again := readReport(t, plainOffer); again.Get("Content-Transfer-Encoding") != "" {
				t.Error("needs SMTPUTF8 where it is not offered")
			}
		})
	}
	d := delivered(t, "josé@src.example", "u1@dst.example")
	if _, err := d.Message(report.Offer{DSN: true}, now, "id"); !errors.Is(err, report.ErrNoUTF8) {
		t.Errorf("%v", err)
	}
}

func above7bit(r rune) bool { return r > 0x7f }

// One report for several recipients names each with what is known of it.
func TestRecipients(t *testing.T) {
	d := delivered(t, "s@src.example", "u1@dst.example", "u1@dst.example", `"a b"@dst.example`)
	d.Recipients[1].Original = address.Original{Type: "utf-8", Address: "用户@dst.example"}
	d.Recipients[2].Original = address.Original{Type: "x400", Address: strings.Repeat("x", 4000)}
	d.Cut = true
	_, content := written(t, d, report.Offer{})
	r, _ := readReport(t, content)
	groups := strings.Split(r.parts[1], "\r\n\r\n")
	if len(groups) != 4 || strings.Contains(groups[1], "Original") || strings.Contains(groups[3], "Original") ||
		!strings.HasPrefix(groups[2], `Original-Recipient: utf-8; \x{7528}\x{6237}@dst.example`) ||
		!strings.Contains(groups[3], `Final-Recipient: rfc822; "a b"@dst.example`) {
		t.Errorf("%q", groups)
	}
	if !strings.Contains(r.parts[0], "only the beginning is attached") {
		t.Errorf("%q", r.parts[0])
	}
}

// Nothing is repeated that is not a msg-id.
func TestThreads(t *testing.T) {
	for header, want := range map[string]string{
		"Message-ID: <1@src.example>\r\n":                      "<1@src.example>",
		"message-id:\r\n <1@src.example> \r\n":                 "<1@src.example>",
		"Message-ID: 1@src.example\r\n":                        "",
		"Message-ID: <1@src.example> <2@b>\r\n":                "",
		"Message-ID: <é@src.example>\r\n":                      "",
		"Message-ID: <" + strings.Repeat("x", 600) + "@b>\r\n": "",
		"no header\r\n": "",
		"":              "",
	} {
		d := delivered(t, "s@src.example", "u1@dst.example")
		d.Header = []byte(header)
		_, content := written(t, d, report.Offer{})
		_, h := readReport(t, content)
		if h.Get("In-Reply-To") != want || h.Get("References") != want {
			t.Errorf("%q: In-Reply-To %q", header, h.Get("In-Reply-To"))
		}
	}
}

// Where mailboxes of an alias do not have the message the report names the alias alone, and why.
func TestFailures(t *testing.T) {
	d := delivered(t, "s@src.example", "staff@dst.example", "用户@dst.example")
	d.Recipients[0].Original = address.Original{Type: "rfc822", Address: "all@src.example"}
	disabled := report.Failure{Status: "5.2.1", Reply: "550 5.2.1 mailbox is disabled"}
	d.Recipients[0].Failures = []report.Failure{disabled, {Status: "5.2.2", Reply: "552 5.2.2 mailbox is full"}}
	d.Recipients[1].Failures = []report.Failure{disabled}
	_, content := written(t, d, report.Offer{})
	r, h := readReport(t, content)
	const want = `Reporting-MTA: dns; mx.dst.example
Arrival-Date: Sat, 28 Nov 2026 11:59:59 +0000

Original-Recipient: rfc822; all@src.example
Final-Recipient: rfc822; staff@dst.example
Action: failed
Status: 5.2.1
Diagnostic-Code: smtp; 550 5.2.1 mailbox is disabled

Original-Recipient: rfc822; all@src.example
Final-Recipient: rfc822; staff@dst.example
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 mailbox is full

Final-Recipient: utf-8; \x{7528}\x{6237}@dst.example
Action: failed
Status: 5.2.1
Diagnostic-Code: smtp; 550 5.2.1 mailbox is disabled
`
	if diff := cmp.Diff(want, strings.ReplaceAll(r.parts[1], "\r\n", "\n")); diff != "" {
		t.Error(diff)
	}
	const people = `Your message was not delivered to all the mailboxes that an address stands for:

    staff@dst.example
      as you sent it to all@src.example
      refused by one or more of them: 550 5.2.1 mailbox is disabled
      refused by one or more of them: 552 5.2.2 mailbox is full
    用户@dst.example
      refused by one or more of them: 550 5.2.1 mailbox is disabled

The others have your message. There is no need to send it again.

The mail server mx.dst.example
`
	if diff := cmp.Diff(people, strings.ReplaceAll(r.parts[0], "\r\n", "\n")); diff != "" {
		t.Error(diff)
	}
	if subject := h.Get("Subject"); subject != "Your message was not delivered to all" {
		t.Errorf("subject %q", subject)
	}
}
