package sender_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/delivery/submit"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func entry(from, final string) outbox.Entry {
	return outbox.Entry{
		Transaction: "s.1", Sender: from, Final: final, Arrived: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
		Header: []byte("Subject: x\r\n"),
	}
}

// Entries that say the same are one recipient of the report, and it can be made of whatever was taken as an address.
func TestReport(t *testing.T) {
	s := &sender.Sender{Hostname: "mx.dst.example", From: "postmaster@dst.example"}
	original := address.Original{Type: "rfc822", Address: "staff@dst.example"}
	named := entry("s@src.example", "u1@dst.example")
	named.Original = original
	d, err := s.Report([]outbox.Entry{entry("s@src.example", "u1@dst.example"), named,
		entry("s@src.example", "u1@dst.example"), named, entry("s@src.example", "Postmaster")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range d.Recipients {
		got = append(got, r.Original.String()+" "+r.Final.String())
	}
	if diff := cmp.Diff([]string{"; u1@dst.example", "rfc822;staff@dst.example u1@dst.example", "; Postmaster"},
		got); diff != "" {
		t.Error(diff)
	}
	for from, ok := range map[string]bool{
		"MAILER-DAEMON": true, "a b@x": false, "": false, "josé@src.example": true, `"a b"@src.example`: true,
		"user@host/dept.example": true, "u@例え.example": true, "u@[192.0.2.1]": true,
	} {
		if _, err := s.Report([]outbox.Entry{entry(from, "u1@dst.example.")}); (err == nil) != ok {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// What the server offers, and how it answers, decides what becomes of a report.
func TestSend(t *testing.T) {
	barred := outbox.Verdict{Temporary: true, Down: true, Barred: true}
	const plain, international = "250 mta.example\r\n", "250-mta.example\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
	for name, tt := range map[string]struct {
		greeting, hello, from string
		want                  outbox.Verdict // without its error
		err                   string
	}{
		"taken":         {"220 x\r\n", plain, "s@src.example", outbox.Verdict{Reply: "250 ok"}, ""},
		"SMTPUTF8":      {"220 x\r\n", international, "josé@src.example", outbox.Verdict{Reply: "250 ok", UTF8: true}, ""},
		"no SMTPUTF8":   {"220 x\r\n", plain, "josé@src.example", outbox.Verdict{Reason: "no_smtputf8"}, "needs SMTPUTF8"},
		"damaged":       {"220 x\r\n", plain, "a b@x", outbox.Verdict{Reason: "damaged"}, "reverse-path"},
		"turned away":   {"554 no\r\n", plain, "s@src.example", barred, "554"},
		"not ready":     {"421 no\r\n", plain, "s@src.example", outbox.Verdict{Temporary: true, Down: true}, "421"},
		"hello refused": {"220 x\r\n", "502 no\r\n", "s@src.example", barred, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sender.Sender{Server: submit.New(submit.Server{Target: serve(t, tt.greeting, tt.hello)}),
				Hostname: "mx.dst.example", From: "postmaster@dst.example"}
			v := s.Send(t.Context(), []outbox.Entry{entry(tt.from, "u1@dst.example")})
			if (v.Err == nil) != (tt.err == "") || v.Err != nil && !strings.Contains(v.Err.Error(), tt.err) {
				t.Errorf("error %v, want %q", v.Err, tt.err)
			}
			if v.Err = nil; v != tt.want {
				t.Errorf("%+v, want %+v", v, tt.want)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	s := &sender.Sender{Server: submit.New(submit.Server{Target: "unix:/nowhere"}), Hostname: "mx.dst.example"}
	if v := s.Send(ctx, []outbox.Entry{entry("s@src.example", "u1@dst.example")}); v.Err == nil || !v.Temporary {
		t.Errorf("%+v", v)
	}
}

// A report that is sent again has the Message-ID of the first time, and no other report has it.
func TestMessageID(t *testing.T) {
	ids := map[string]bool{}
	for _, final := range []string{"u1@dst.example", "u1@dst.example", "u2@dst.example"} {
		content := make(chan string, 1)
		s := &sender.Sender{Server: submit.New(submit.Server{Target: serve(t, "220 x\r\n", "250 x\r\n", content)}),
			Hostname: "mx.dst.example", From: "postmaster@dst.example"}
		if v := s.Send(t.Context(), []outbox.Entry{entry("s@src.example", final)}); v.Err != nil {
			t.Fatal(v.Err)
		}
		for line := range strings.Lines(<-content) {
			if strings.HasPrefix(line, "Message-Id: ") {
				ids[line] = true
			}
		}
	}
	if len(ids) != 2 {
		t.Errorf("%v", ids)
	}
}

// serve takes one message on a Unix socket, after this greeting and reply to the hello. It hands on its content.
func serve(t *testing.T, greeting, hello string, content ...chan string) (target string) {
	t.Helper()
	path := t.TempDir() + "/mta"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		say := func(text string) { _, _ = conn.Write([]byte(text)) }
		in := bufio.NewScanner(conn)
		say(greeting)
		for inContent, text := false, ""; in.Scan(); {
			switch line := in.Text(); {
			case inContent && line != ".":
				text += line + "\n"
				continue
			case inContent:
				inContent = false
				for _, c := range content {
					c <- text
				}
				say("250 ok\r\n")
			case strings.HasPrefix(line, "EHLO"):
				say(hello)
			case line == "DATA":
				inContent = true
				say("354 go\r\n")
			default:
				say("250 ok\r\n")
			}
		}
	}()
	return "unix:" + path
}

// A report on a message that must not travel without TLS says so to a server that knows what it means, and is sent to
// others all the same (RFC 8689 §5).
func TestRequireTLS(t *testing.T) {
	for hello, want := range map[string]string{
		"250 x\r\n": "MAIL FROM:<>", "250-x\r\n250 REQUIRETLS\r\n": "MAIL FROM:<> REQUIRETLS",
	} {
		said := ""
		server := submit.Server{Target: serve(t, "220 x\r\n", hello)}
		server.Options.Trace = func(dir byte, line string) {
			if dir == 'C' && strings.HasPrefix(line, "MAIL") {
				said = line
			}
		}
		s := &sender.Sender{Server: submit.New(server), Hostname: "mx.dst.example", From: "postmaster@dst.example"}
		e := entry("s@src.example", "u1@dst.example")
		e.RequireTLS = true
		if v := s.Send(t.Context(), []outbox.Entry{e}); v.Err != nil || said != want {
			t.Errorf("%q, %v, want %q", said, v.Err, want)
		}
	}
}
