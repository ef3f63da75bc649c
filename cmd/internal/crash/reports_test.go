package crash

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// asks reports whether senders want a report that a user has a message, where the setting has reports: of so many that
// a server takes them all, which takes 600 a minute.
func asks(user int) bool { return user%4 == 0 }

// A desk is the MTA that takes the reports, and knows of which copies they are. It outlives the server.
type desk struct {
	mu      sync.Mutex
	reports map[copyID]int
	strange []string // what is no report
}

// openDesk starts one for a site, and writes the configuration for it. The outbox is on the file system of the mail.
func (s *site) openDesk(t *testing.T) {
	t.Helper()
	s.desk = &desk{reports: map[copyID]int{}}
	socket := filepath.Join(s.dir, "submission")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	server := &lmtp.Server{Handler: s.desk, Protocol: lmtp.ESMTP, Hostname: "mta.example.org"}
	go func() { _ = server.Serve(l) }() // until it is shut down
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	makeStore(t, s.outbox())
	configuration, err := os.OpenFile(filepath.Join(s.dir, "doorstep.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer configuration.Close()
	if _, err := fmt.Fprintf(configuration, "[submission]\nserver = \"unix:%s\"\noutbox = %q\n"+
		"[reports]\nper_sender = 10000\n", socket, s.outbox()); err != nil {
		t.Fatal(err)
	}
}

// outbox is beside the mail, on its file system.
func (s *site) outbox() string { return filepath.Join(filepath.Dir(s.store), "outbox") }

// Mail begins a report.
func (d *desk) Mail(context.Context, *lmtp.Session, *lmtp.Envelope) (lmtp.Transaction, error) {
	return &handedIn{desk: d}, nil
}

// A handedIn is a report that comes in.
type handedIn struct {
	desk    *desk
	content bytes.Buffer
}

func (h *handedIn) Rcpt(context.Context, *lmtp.Recipient) error { return nil }
func (h *handedIn) Write(p []byte) (int, error)                 { return h.content.Write(p) }
func (h *handedIn) Abort(error)                                 {}

func (h *handedIn) Commit(context.Context) <-chan error {
	h.desk.take(h.content.String())
	done := make(chan error, 1)
	done <- nil
	close(done)
	return done
}

var (
	reportedOf = regexp.MustCompile(`(?m)^Final-Recipient: rfc822; u(\d+)@example\.org\r$`)
	reportedID = regexp.MustCompile(`(?m)^Subject: (-?\d+) (-?\d+)\r$`)
)

// take notes whom a report is of.
func (d *desk) take(report string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	subject, users := reportedID.FindStringSubmatch(report), reportedOf.FindAllStringSubmatch(report, -1)
	if subject == nil || users == nil {
		d.strange = append(d.strange, report)
		return
	}
	var id messageID
	id.session, _ = strconv.Atoi(subject[1]) // digits
	id.n, _ = strconv.Atoi(subject[2])
	for _, match := range users {
		user, _ := strconv.Atoi(match[1])
		d.reports[copyID{id, user}]++
	}
}

// checkReports waits until the outbox is empty, and holds what was reported against what was promised and what is
// there: who was acknowledged and asked for it is reported of, nobody is who has no message or did not ask, and nobody
// more often than once and once more for each time that the server has died. The server runs.
func (s *site) checkReports(t *testing.T, what string, promises map[copyID]bool, f finding, deaths int) {
	t.Helper()
	if s.desk == nil {
		return
	}
	began := time.Now()
	for tick := time.NewTicker(20 * time.Millisecond); len(s.entries(t)) > 0; <-tick.C {
		if time.Since(began) > patience {
			t.Fatalf("%s: %d reports still wait", what, len(s.entries(t)))
		}
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	lost, promised, more := 0, 0, 0
	for c, promise := range promises {
		if !promise {
			continue
		}
		promised++
		if s.desk.reports[c] == 0 {
			lost++
		}
	}
	for c, n := range s.desk.reports {
		if f.whole[c] == 0 || !asks(c.user) || n > 1+deaths {
			t.Errorf("%s: %d reports that %s has message %v, which is there %d times", what, n, local(c.user), c.messageID,
				f.whole[c])
		}
		more += n - 1
	}
	t.Logf("%s: %d reports promised, %d lost, %d sent twice, %d of copies that were not acknowledged", what, promised,
		lost, more, len(s.desk.reports)-promised+lost)
	if lost > 0 || len(s.desk.strange) > 0 {
		t.Errorf("%s: %d reports are lost, and %d are none: %.300q", what, lost, len(s.desk.strange), s.desk.strange)
	}
	clear(s.desk.reports)
}

// entries are the reports that wait.
func (s *site) entries(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.outbox(), "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The desk sees what it is to see.
func TestDesk(t *testing.T) {
	d := &desk{reports: map[copyID]int{}}
	d.take("Subject: Your message was delivered\r\n\r\nFinal-Recipient: rfc822; u003@example.org\r\n" +
		"Final-Recipient: rfc822; u120@example.org\r\n\r\nFrom: <s@example.com>\r\nSubject: 7 9\r\n")
	d.take("Subject: hello\r\n")
	want := map[copyID]int{{messageID{7, 9}, 3}: 1, {messageID{7, 9}, 120}: 1}
	if !maps.Equal(d.reports, want) || len(d.strange) != 1 {
		t.Errorf("%v, strange %q", d.reports, d.strange)
	}
}
