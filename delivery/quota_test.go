package delivery_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/warning"
)

// warnings notes what it is called with.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) Warn(x warning.Warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.Usage.Bytes <= 0 || x.Usage.Messages <= 0 || x.Quota.Bytes != 2000 {
		panic(fmt.Sprintf("%+v", x))
	}
	w.said = append(w.said, fmt.Sprintf("%s %d%% of %s", x.Mailbox, x.Percent, x.Of))
}

// A share of the quota is warned of once, by the message that reaches it, and of several at once
// the highest; addresses that share the mailbox share the warning. Nobody is warned of mail that is
// refused.
func TestQuotaWarnings(t *testing.T) {
	for _, protocol := range []string{"lmtp", "esmtp"} {
		f := newFixture(t, protocol)
		told := &warnings{}
		f.agent.Quotas = delivery.Quotas{WarnAt: []int{10, 30, 50, 95, 100}, Warner: told}
		send := func(octets int, want string) {
			t.Helper()
			twice, once := "S: 250 2.1.5\n", "S: "+want+"\n"
			if protocol == "lmtp" {
				once += once
			}
			f.say(t, "pipe", "only: "+protocol+"\nP1\nC: RCPT TO:<small@dst.example>\n"+twice+
				"C: RCPT TO:<Small+x@dst.example>\n"+twice+"C: DATA\nS: 354\nC> "+strings.Repeat("y",
				octets)+"\\r\\n.\\r\\n\n"+once)
		}
		const small = "small@dst.example "
		for _, step := range []struct {
			octets int
			reply  string
			said   []string
		}{
			{300, "250 2.0.0", []string{small + "10% of bytes", small + "10% of messages"}}, // with trace fields 500 and more
			{10, "250 2.0.0", []string{small + "30% of bytes"}},
			{1300, "452 4.2.2", nil},
			{400, "250 2.0.0", []string{small + "50% of bytes", small + "30% of messages"}},
			{900, "452 4.2.2", nil},
		} {
			told.said = nil
			send(step.octets, step.reply)
			if diff := cmp.Diff(step.said, told.said); diff != "" {
				t.Errorf("%s, %d octets: (-want +got)\n%s", protocol, step.octets, diff)
			}
		}
		f.shutdown(t)
		if log := f.log.String(); strings.Contains(log, "level=WARN") || !strings.Contains(log, "rule=quota") {
			t.Errorf("a full mailbox is no trouble of ours:\n%s", log)
		}
	}
}

// TestQuotaInTheLog: whether a mailbox is full at RCPT or only for the content, for its inbox or a folder, the log says
// the same of it: which mailbox, what it holds and may hold.
func TestQuotaInTheLog(t *testing.T) {
	for _, tt := range []struct{ name, session, want string }{
		{"RCPT", "P1\nC: RCPT TO:<full@dst.example>\nS: 452 4.2.2\n", "full/Maildir holds 2 KiB of 1000 octets"},
		{"SIZE", "P0\nC: MAIL FROM:<a@src.example> SIZE=9000\nS: 250 2.1.0\nC: RCPT TO:<small+Lists@dst.example>\nS: 452 " +
			"4.2.2\n",
			"small/Maildir holds 0 octets of 2 KiB, 0 of 10 messages, which leaves no room for 8.8 KiB"},
		{"content", "P1\nC: RCPT TO:<small+Lists@dst.example>\nS: 250 2.1.5\nC: DATA\nS: 354\nC> " + strings.Repeat("y",
			3000) +
			"\\r\\n.\\r\\nS: 452 4.2.2\n", "small/Maildir holds 0 octets of 2 KiB, 0 of 10 messages, which leaves no room for " +
			"3.2 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			f.router.Resolver.Domains["dst.example"].Details = route.DetailsCreate
			f.router.FolderLimit, f.router.FolderLevels = 3, 2
			f.say(t, "pipe", strings.Replace(tt.session, "\\r\\nS:", "\\r\\n\nS:", 1))
			f.shutdown(t)
			want := `reason="452 4.2.2 mailbox is full: ` + f.root + "/dst.example/" + tt.want + `"`
			if log := f.log.String(); !strings.Contains(log, want) {
				t.Errorf("no %s in\n%s", want, log)
			}
		})
	}
}
