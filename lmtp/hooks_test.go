package lmtp_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// A hookLog writes down what hooks are called with.
type hookLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *hookLog) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *hookLog) hooks() lmtp.Hooks {
	return lmtp.Hooks{
		Begin:   func(*lmtp.Session) { l.add("begin") },
		End:     func(*lmtp.Session) { l.add("end") },
		Command: func(_ *lmtp.Session, verb, args string) { l.add("C %s %s", verb, args) },
		Reply:   func(_ *lmtp.Session, verb string, r lmtp.Reply) { l.add("S %s %d", verb, r.Code) },
		Content: func(_ *lmtp.Session, octets int64) { l.add("content %d", octets) },
	}
}

// talk gives a server that has hooks some input, reads until it hangs up, and returns what the hooks
// were told.
func talk(t *testing.T, s *lmtp.Server, input string) []string {
	t.Helper()
	log := &hookLog{}
	s.Hooks, s.Log = log.hooks(), guardtest.Watch(t, s.Log)
	client, server := net.Pipe()
	ended := make(chan struct{})
	go func() { s.ServeConn(server); close(ended) }()
	go func() {
		buf := make([]byte, 4096)
		for {
			if _, err := client.Read(buf); err != nil {
				return
			}
		}
	}()
	if _, err := client.Write([]byte(input)); err != nil {
		t.Fatal(err)
	}
	<-ended
	client.Close()
	return log.lines
}

func TestHooks(t *testing.T) {
	s := &lmtp.Server{Handler: takesAll{}, Hostname: "h"}
	got := talk(t, s, "LHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nhello\r\n.\r\nNOOP "+
		"secret\r\nQUIT\r\n")
	want := []string{
		"begin", "S CONNECT 220", "C LHLO me", "S LHLO 250", "C MAIL FROM:<a@b>", "S MAIL 250", "C RCPT TO:<c@d>",
		"S RCPT 250",
		"C RCPT TO:<e@f>", "S RCPT 250", "C DATA ", "S DATA 354", "content 7", "S DATA 250", "S DATA 250",
		"C NOOP ", "S NOOP 250", "C QUIT ", "S QUIT 221", "end",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestHooksSeeNoSecrets: nothing of a password is shown, however a client goes on about it, and
// nothing of a message that is taken for commands.
func TestHooksSeeNoSecrets(t *testing.T) {
	s := &lmtp.Server{Handler: takesAll{}, Hostname: "h", Auth: lmtp.Auth{Authenticator: refuses{}, Delay: 1}}
	got := talk(t, s, strings.Join([]string{
		"LHLO me", "AUTH PLAIN c2VjcmV0", "AUTH c2VjcmV0", "AUTH PLAIN", "c2VjcmV0", "c2VjcmV0", "AUTHPLAIN c2VjcmV0",
		"NOOP c2VjcmV0", "HELP c2VjcmV0", "VRFY c2VjcmV0", "EXPN c2VjcmV0", "STARTTLS c2VjcmV0", "QUIT c2VjcmV0", "QUIT", "",
	}, "\r\n"))
	all := strings.Join(got, "\n")
	if strings.Contains(strings.ToLower(all), "c2vj") {
		t.Errorf("a secret was told:\n%s", all)
	}
	for _, line := range []string{"C AUTH PLAIN (not shown)", "C AUTH (not shown)", "C AUTH (response not shown)",
		"C UNKNOWN (8 octets)", "S AUTH 535"} {
		if !strings.Contains(all, line) {
			t.Errorf("not told %q:\n%s", line, all)
		}
	}
}

// refuses offers PLAIN and takes nobody.
type refuses struct{}

func (refuses) Mechanisms(*lmtp.Session) []string { return []string{"PLAIN"} }

func (refuses) Begin(context.Context, *lmtp.Session, string) lmtp.Exchange { return refusal{} }

type refusal struct{}

func (refusal) Next(response []byte) ([]byte, bool, error) {
	if response == nil {
		return []byte{}, false, nil
	}
	return nil, false, &lmtp.Error{Code: 535, Enhanced: "5.7.8", Text: "no"}
}

func (refusal) Identity() string { return "" }

// takesAll takes all mail and keeps none.
type takesAll struct{ accepted int }

func (takesAll) Mail(context.Context, *lmtp.Session, *lmtp.Envelope) (lmtp.Transaction, error) {
	return &takesAll{}, nil
}

func (t *takesAll) Rcpt(context.Context, *lmtp.Recipient) error { t.accepted++; return nil }

func (*takesAll) Write(p []byte) (int, error) { return len(p), nil }

func (t *takesAll) Commit(context.Context) <-chan error {
	outcomes := make(chan error, t.accepted)
	for range t.accepted {
		outcomes <- nil
	}
	close(outcomes)
	return outcomes
}

func (*takesAll) Abort(error) {}
