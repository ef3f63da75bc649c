package program

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// TestScript: what a delivery does with a script that has programs: it runs the script, and then what the result pipes.
// A program gets the message as it was where the script piped it.
func TestScript(t *testing.T) {
	d := open(t, Options{Path: bin(t, map[string]string{
		"mark": `printf 'X-Marked: %s\n' "$1"; cat`, "learn": `cat; printf 'for %s' "$RECIPIENT"`, "refuse": "cat > /dev/null; exit 1",
	})})
	program, problems := sieve.Compile(&syntax.Source{Name: "s", Text: `
require ["vnd.dovecot.filter", "vnd.dovecot.pipe", "editheader", "copy"];
filter "mark" "first";
pipe :copy "learn";
addheader "X-Added" "later";
pipe :try "refuse";`}, sieve.Options{Allowed: func(*sieve.Extension) bool { return true }})
	if program == nil {
		t.Fatal(problems)
	}
	const mail = "Subject: a\n\nbody\n"
	m, err := message.Read(strings.NewReader(mail), int64(len(mail)))
	if err != nil {
		t.Fatal(err)
	}
	r := runner(t, d)
	in := &sieve.Input{
		Message: m, Envelope: sieve.Envelope{To: "alice@example.org"}, Now: time.Now(), Programs: r,
	}
	result := program.Run(t.Context(), in)
	if result.Err != nil || len(result.Actions) != 2 || result.Otherwise == nil {
		t.Fatalf("%v, %d actions, otherwise %v", result.Err, len(result.Actions), result.Otherwise)
	}
	j := result.Actions[0].(*sieve.Pipe).Job(in.Message, in.Envelope)
	j.MaxOutput = enough // which a delivery leaves out
	a, err := r.Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := written(t, a), "X-Marked: first\r\nSubject: a\r\n\r\nbody\r\nfor alice@example.org"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	refused := result.Actions[1].(*sieve.Pipe)
	if a, err := r.Run(t.Context(), refused.Job(in.Message, in.Envelope)); err != nil || a.Code != 1 || !refused.Try {
		t.Errorf("%d, %v, %v", a.Code, err, refused.Try)
	}
	kept, err := in.Message.Content(result.Otherwise.Header, result.Otherwise.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "X-Added: later\r\nX-Marked: first\r\nSubject: a\r\n\r\nbody\r\n"; string(kept) != want {
		t.Errorf("what is kept: %q, want %q", kept, want)
	}
}
