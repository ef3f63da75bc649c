package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A changePlan is how often a server is changed while mail comes.
type changePlan struct{ reloads, upgrades, messages int }

// changes is the short plan of every test run, or the long one of "make soak".
func changes() changePlan {
	if os.Getenv("DOORSTEP_SOAK") == "long" {
		return changePlan{reloads: 20, upgrades: 5, messages: 6000}
	}
	return changePlan{reloads: 4, upgrades: 2, messages: 600}
}

// TestChangesUnderLoad reloads and upgrades a server while mail comes by new connections, by
// connections that last, and through Postfix. smtp-source ends at the first connection that is refused
// and at the first reply that is not what it should be; so its success, and the number of messages, say
// that nothing was refused, lost or doubled. A connection that lasts is ended by the third reload, between two
// messages.
func TestChangesUnderLoad(t *testing.T) {
	peer.Need(t, "smtp-source", "postfix")
	dir := place(t)
	port := peer.FreePort(t)
	config := controlled("[[listen]]\naddress = \"tcp:127.0.0.1:" + port + "\"\n[limits]\nidle_timeout = \"1m\"\n")
	s := serveConfig(t, dir, config)
	postfix := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "lmtp:inet:127.0.0.1:" + port, Domains: []string{"example.org"},
		// What is deferred by mistake shows in the log, and must not come again in this test.
		Params: []string{"smtpd_client_connection_rate_limit = 0", "minimal_backoff_time = 1h"},
	})
	plan := changes()
	each := plan.messages / 3
	loads := []*load{
		startLoad(t, "-L", "-s", "8", "-m", strconv.Itoa(each), "-l", "2000", "-t", "alice@example.org",
			"unix:"+filepath.Join(dir, "lmtp")),
		startLoad(t, "-s", "2", "-m", strconv.Itoa(each), "-l", "2000", "-t", "alice@example.org", "inet:"+postfix.Addr),
	}
	var lasting sync.WaitGroup
	for range 4 {
		lasting.Go(func() { sendOverOne(t, "tcp:127.0.0.1:"+port, "bob@example.org", each/4) })
	}
	// The changes are spread over the deliveries.
	turns := plan.reloads + plan.upgrades
	every := plan.messages / (turns + 1)
	for turn := range turns {
		for range every {
			s.awaitLog(t, "msg=delivered")
		}
		if turn%(turns/plan.upgrades) == turns/plan.upgrades-1 {
			upgraded(t, dir)
			continue
		}
		rewrite(t, dir, config+fmt.Sprintf("\n[[user]]\naddress = \"new%d@example.org\"\n", turn))
		if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Fatalf("reload: %q, %q", out, errs)
		}
	}
	for _, l := range loads {
		l.wait(t)
	}
	lasting.Wait()
	postfix.AwaitIdle(3 * time.Minute)
	for _, d := range postfix.Deliveries() {
		if d.Status != "sent" {
			t.Errorf("Postfix: %+v", d)
		}
	}
	for local, want := range map[string]int{"alice": 2 * each, "bob": each / 4 * 4} {
		if got := len(names(t, filepath.Join(maildir(dir, local), "new"))); got != want {
			t.Errorf("%s has %d messages, want %d", local, got, want)
		}
	}
	if log := s.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("errors in the log")
	}
	t.Logf("%d messages, %d reloads, %d upgrades", plan.messages, plan.reloads, plan.upgrades)
}

// sendOverOne sends messages over one connection, and over another as soon as the server ends it between two of them.
func sendOverOne(t *testing.T, target, to string, messages int) {
	for n := 0; n < messages; {
		c, err := client.Dial(t.Context(), target, client.Options{Timeout: patience})
		if err != nil {
			t.Error(err)
			return
		}
		for ; n < messages; n++ {
			r, err := c.Send(t.Context(), client.Message{From: "sender@src.example", To: client.To(to),
				Content: strings.NewReader(message("over one connection"))})
			if err != nil && (r == nil || r.Mail.Code == 0 || r.Mail.Code == 421) {
				break
			}
			if err != nil || !r.Recipients[0].Delivered() {
				t.Errorf("%+v, %v", r, err)
				return
			}
		}
		_ = c.Close() // the server may have
	}
}

// A load is smtp-source at work.
type load struct {
	cmd  *exec.Cmd
	said bytes.Buffer
	err  chan error
}

func startLoad(t *testing.T, args ...string) *load {
	t.Helper()
	l := &load{cmd: exec.Command("smtp-source", append([]string{"-f", "sender@src.example"}, args...)...),
		err: make(chan error, 1)}
	l.cmd.Stdout, l.cmd.Stderr = &l.said, &l.said
	started := make(chan error)
	go func() {
		err := l.cmd.Start()
		started <- err
		if err == nil {
			l.err <- l.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.cmd.Process.Kill() }) // it may have ended
	return l
}

func (l *load) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-l.err:
		if err != nil || l.said.Len() > 0 {
			t.Errorf("%q: %v\n%s", l.cmd.Args, err, l.said.String())
		}
	case <-time.After(10 * time.Minute):
		t.Errorf("%q does not end", l.cmd.Args)
	}
}
