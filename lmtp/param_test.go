package lmtp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseParams(t *testing.T) {
	many := strings.Repeat(" A=1", maxParams)
	tests := []struct {
		name string
		in   string
		want []parameter // nil with ok: none
		ok   bool
	}{
		{"none", "", nil, true},
		{"spaces only", "   ", nil, true},
		{"a keyword", " SMTPUTF8", []parameter{{"SMTPUTF8", "", false}}, true},
		{"keyword and value", " SIZE=10", []parameter{{"SIZE", "10", true}}, true},
		{"keyword in any case, value as it is", " bOdY=8BitMime", []parameter{{"BODY", "8BitMime", true}}, true},
		{"two", " SIZE=1 SMTPUTF8", []parameter{{"SIZE", "1", true}, {"SMTPUTF8", "", false}}, true},
		{"more than one space", "  SIZE=1   X", []parameter{{"SIZE", "1", true}, {"X", "", false}}, true},
		{"digits and hyphens", " 8-bit-=x", []parameter{{"8-BIT-", "x", true}}, true},
		{"every octet of a value", " X=!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~",
			[]parameter{{"X", "!\"#$%&'()*+,-./:;<>?@[\\]^_`{|}~", true}}, true},
		{"UTF-8 value", " ORCPT=utf-8;jos\u00e9", []parameter{{"ORCPT", "utf-8;jos\u00e9", true}}, true},

		{"no space before", "SIZE=1", nil, false},
		{"HT before", "\tSIZE=1", nil, false},
		{"HT between", " SIZE=1\tX", nil, false},
		{"no keyword", " =1", nil, false},
		{"no value", " SIZE=", nil, false},
		{"no value before another", " SIZE= X", nil, false},
		{"two equals signs", " X=1=2", nil, false},
		{"hyphen first", " -X=1", nil, false},
		{"underscore", " X_Y=1", nil, false},
		{"U+017F is no S", " \u017fIZE=1", nil, false},
		{"control in the keyword", " X\x00=1", nil, false},
		{"control in the value", " X=\x01", nil, false},
		{"DEL in the value", " X=\x7f", nil, false},
		{"the most", many, nil, true},
		{"one more", many + " A=1", nil, false},
	}
	for _, tt := range tests {
		t.Run("PATH-12 "+tt.name, func(t *testing.T) {
			got, ok := parseParams(nil, tt.in)
			if ok != tt.ok {
				t.Fatalf("%v, %t, want %t", got, ok, tt.ok)
			}
			if tt.want != nil || tt.in == "" {
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(parameter{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Each row is the end of a MAIL or RCPT command, in a session that knows extensions and
// (after the bar) in one that began with HELO.
func TestParameters(t *testing.T) {
	const ok, unknown, bad = "250 2.1.0", "555 5.5.4", "501 5.5.4"
	tests := []struct {
		name, params, want, helo string
	}{
		{"none", "", ok, ok},
		{"SIZE-01", " SIZE=1000", ok, unknown},
		{"SIZE-01 exact limit", " SIZE=10000", ok, unknown},
		{"SIZE-01 over the limit", " SIZE=10001", "552 5.3.4", unknown},
		{"SIZE-01 20 digits", " SIZE=99999999999999999999", "552 5.3.4", unknown},
		{"SIZE-01 21 digits", " SIZE=000000000000000000001", bad, unknown},
		{"SIZE-01 zeros", " SIZE=00000000000000000000", ok, unknown},
		{"SIZE-01 negative", " SIZE=-1", bad, unknown},
		{"SIZE-01 plus", " SIZE=+1", bad, unknown},
		{"SIZE-01 hexadecimal", " SIZE=0x1", bad, unknown},
		{"SIZE-01 without value", " SIZE", bad, unknown},
		{"SIZE-01 twice", " SIZE=1 SIZE=1", bad, unknown},
		{"SIZE-01 twice, in another case", " SIZE=1 size=2", bad, unknown},
		{"BODY", " BODY=8bitmime", ok, unknown},
		{"BODY without value", " BODY", bad, unknown},
		{"BODY of another kind", " BODY=9BIT", bad, unknown},
		{"CHUNK-14 BINARYMIME is not offered", " BODY=BINARYMIME", bad, unknown},
		{"UTF8-02", " SMTPUTF8", ok, unknown},
		{"UTF8-02 with value", " SMTPUTF8=1", bad, unknown},
		{"UTF8-02 twice", " SMTPUTF8 SMTPUTF8", bad, unknown},
		{"all", " SIZE=1 BODY=7BIT SMTPUTF8", ok, unknown},
		{"PATH-12 unknown", " FOO=1", unknown, unknown},
		{"PATH-12 unknown after a known", " SIZE=1 FOO", unknown, unknown},
		{"PATH-12 a keyword of 4000 letters", " " + strings.Repeat("x", 4000), unknown, unknown},
		{"EXT-13 CONPERM", " CONPERM", "504 5.5.4", "504 5.5.4"},
	}
	for _, tt := range tests {
		for _, hello := range []string{"EHLO", "HELO"} {
			t.Run(hello+"/"+tt.name, func(t *testing.T) {
				want := tt.want
				if hello == "HELO" {
					want = tt.helo
				}
				h := &fakeHandler{}
				d := talk(t, &Server{Handler: h, Protocol: ESMTP, Limits: Limits{MessageSize: 10000}})
				d.say(hello+" c.example", "MAIL FROM:<a@src.example>"+tt.params)
				d.expect("220", "250", want)
				d.quit()
				h.check(t)
				if (want == ok) != (len(h.txs) == 1) {
					t.Errorf("%d transactions after %s", len(h.txs), want)
				}
			})
		}
	}
}

// The Envelope says what the parameters said.
func TestEnvelope(t *testing.T) {
	h := &fakeHandler{}
	d := opened(t, &Server{Handler: h})
	d.say("MAIL FROM:<josé@bücher.example> BODY=8bitMime size=0042 smtputf8")
	d.expect("250 2.1.0")
	d.quit()
	env := *h.only(t).env
	if env.ID == "" || env.From.String() != "josé@bücher.example" || env.Body != "8BITMIME" || env.Size != 42 ||
		!env.SMTPUTF8 {
		t.Errorf("envelope is %+v", env)
	}
}
