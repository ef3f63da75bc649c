package client

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readFrom reads one reply that a server sends, and closes.
func readFrom(t *testing.T, octets string) (Reply, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	w := newWire(ours, Options{})
	go func() {
		_, _ = theirs.Write([]byte(octets)) // cut short when the client has had enough
		_ = theirs.Close()
	}()
	r, err := w.readReply(t.Context(), time.Minute)
	if err == nil {
		_ = w.close(errClosed)
	} else if w.broken() == nil {
		t.Errorf("%.40q: connection left open after %v", octets, err)
	}
	return r, err
}

func TestReadReply(t *testing.T) {
	long := strings.Repeat("x", maxReplyLine-6)
	for _, tt := range []struct {
		octets string
		want   Reply
	}{
		{"250 ok\r\n", Reply{250, "", []string{"ok"}}},
		{"250\r\n", Reply{250, "", []string{""}}},
		{"250 \r\n", Reply{250, "", []string{""}}},
		{"250 2.1.5 fine\r\n", Reply{250, "2.1.5", []string{"fine"}}},
		{"250 2.1.5\r\n", Reply{250, "2.1.5", []string{""}}},
		{"550-5.7.1 one\r\n550-5.7.1 \r\n550 5.7.1 two\r\n", Reply{550, "5.7.1", []string{"one", "", "two"}}},
		{"550-5.7.1 one\r\n550 two\r\n", Reply{550, "5.7.1", []string{"one", "two"}}},
		{"250-one\r\n250 2.0.0 two\r\n", Reply{250, "", []string{"one", "2.0.0 two"}}},
		{"250 4.1.5 other class\r\n", Reply{250, "", []string{"4.1.5 other class"}}},
		{"250 2.1.5x\r\n", Reply{250, "", []string{"2.1.5x"}}},
		{"250 2.1234.5 x\r\n", Reply{250, "", []string{"2.1234.5 x"}}},
		{"354 3.0.0 x\r\n", Reply{354, "", []string{"3.0.0 x"}}},
		{"250 tab\tand \xc3\xa9\r\n", Reply{250, "", []string{"tab\tand é"}}},
		{"250 " + long + "\r\n", Reply{250, "", []string{long}}},
		{strings.Repeat("250-x\r\n", maxReplyLines-1) + "250 x\r\n",
			Reply{250, "", strings.Split(strings.Repeat("x ", maxReplyLines-1)+"x", " ")}},
	} {
		got, err := readFrom(t, tt.octets)
		if err != nil {
			t.Errorf("%.40q: %v", tt.octets, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%.40q: %s", tt.octets, d)
		}
	}
}

func TestReadReplyRefuses(t *testing.T) {
	for _, tt := range []struct{ octets, text string }{
		{"", "connection closed by the server"},
		{"250 o", "within a reply"},
		{"250-ok\r\n", "connection closed by the server"},
		{"250 ok\n", "does not end in CRLF"},
		{"250 a\rb\r\n", "control character"},
		{"250 \x1b[31m\r\n", "control character"},
		{"250 \x00\r\n", "control character"},
		{"250 \x7f\r\n", "control character"},
		{"\r\n", "does not begin with a reply code"},
		{"25\r\n", "does not begin with a reply code"},
		{"ok\r\n", "does not begin with a reply code"},
		{"150 ok\r\n", "does not begin with a reply code"},
		{"650 ok\r\n", "does not begin with a reply code"},
		{"260 ok\r\n", "does not begin with a reply code"},
		{"25x ok\r\n", "does not begin with a reply code"},
		{"2500 ok\r\n", "neither space nor hyphen"},
		{"250\tok\r\n", "neither space nor hyphen"},
		{"250-a\r\n251 b\r\n", "code 250 and of code 251"},
		{"250 " + strings.Repeat("x", maxReplyLine-5) + "\r\n", "longer than 4096 octets"},
		{strings.Repeat("x", 1<<20), "longer than 4096 octets"},
		{strings.Repeat("250-x\r\n", maxReplyLines+1), "more than 200 lines"},
	} {
		if got, err := readFrom(t, tt.octets); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%.40q: %v, %v; want an error with %q", tt.octets, got, err, tt.text)
		}
	}
}

func TestReplyString(t *testing.T) {
	for want, r := range map[string]Reply{
		"no reply":         {},
		"250":              {Code: 250, Lines: []string{""}},
		"550 5.1.1":        {Code: 550, Enhanced: "5.1.1", Lines: []string{""}},
		"550 5.1.1 a / b":  {Code: 550, Enhanced: "5.1.1", Lines: []string{"a", "b"}},
		"421 shutting off": {Code: 421, Lines: []string{"shutting off"}},
	} {
		if got := r.String(); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}

func FuzzReadReply(f *testing.F) {
	f.Add("250-2.0.0 a\r\n250 2.0.0 b\r\n")
	f.Add("354\r\n")
	f.Add("25\r\n250 \x80\r\n")
	f.Fuzz(func(t *testing.T, octets string) {
		r, err := readFrom(t, octets)
		if err != nil {
			if r.Code != 0 {
				t.Errorf("reply %+v beside error %v", r, err)
			}
			return
		}
		if r.Code < 200 || r.Code > 559 || len(r.Lines) == 0 || len(r.Lines) > maxReplyLines {
			t.Errorf("reply %+v", r)
		}
		if text := r.String(); strings.ContainsAny(text, "\r\n\x00\x1b\x7f") || !strings.HasPrefix(octets, text[:3]) {
			t.Errorf("reply %q of %q", text, octets)
		}
	})
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         time.Duration
	}{
		{"reply", lhlo + "C: MAIL FROM:<>\nC: RCPT TO:<u@d>\nC: DATA\nS: 250 ok", 5 * time.Second},
		{"final reply", lhlo + "C: MAIL FROM:<>\nC: RCPT TO:<u@d>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 ok\nC: .",
			9 * time.Second},
		{"block of content", lhlo + "C: MAIL FROM:<>\nC: RCPT TO:<u@d>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 ok\nSTALL",
			5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				text, stall := strings.CutSuffix(tt.script, "\nSTALL")
				m := Message{To: To("u@d")}
				if stall {
					m.Content = strings.NewReader(strings.Repeat("x\n", 1<<16))
					text += "\nW: 1h"
				}
				done := script{text: text}.play(theirs)
				c, err := New(t.Context(), ours, Options{Timeout: 5 * time.Second, FinalTimeout: 9 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, err = c.Send(t.Context(), m)
				var timeout net.Error
				if took := time.Since(start); !errors.As(err, &timeout) || !timeout.Timeout() || took != tt.want {
					t.Errorf("after %v: %v; want a timeout after %v", took, err, tt.want)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// FuzzExtensions: whatever a server offers, keywords are in the form of the grammar.
func FuzzExtensions(f *testing.F) {
	f.Add("SIZE 100\nAUTH=LOGIN\npipelining\nLIMITS  RCPTMAX=1 \n-x\n")
	f.Fuzz(func(t *testing.T, lines string) {
		for keyword, params := range parseExtensions(Reply{Code: 250, Lines: strings.Split("x\n"+lines, "\n")}) {
			if !isKeyword(keyword) || keyword != strings.ToUpper(keyword) || params != strings.TrimSpace(params) {
				t.Errorf("%q: %q with %q", lines, keyword, params)
			}
		}
	})
}
