// Package warning tells the administrator's program or web server of mailboxes that fill up.
package warning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"

	"golang.org/x/sync/semaphore"
)

const (
	// waiting bounds the warnings that have not been passed on yet. More are dropped, and logged:
	// mail is worth more than a warning of it.
	waiting = 256
	// atOnce bounds those that are being passed on.
	atOnce = 4
	// maxOutput bounds what is logged of what a program has to say, in octets.
	maxOutput = 300
)

// A Warning says that a message has brought a mailbox to a share of its quota, from below.
type Warning struct {
	Mailbox string        `json:"mailbox"` // the account's address
	Percent int           `json:"percent"`
	Of      string        `json:"of"` // "bytes" or "messages"
	Usage   mailbox.Usage `json:"usage"`
	Quota   mailbox.Quota `json:"quota"`
}

// A Sender passes warnings on, in the background. It is a delivery.Warner.
type Sender struct {
	command []string
	url     string
	timeout time.Duration
	log     *slog.Logger
	client  *http.Client

	places *semaphore.Weighted // of those that wait or are passed on
	turns  *semaphore.Weighted // of those that are passed on
	all    guard.Group
	life   context.Context // until Close loses patience
	end    context.CancelFunc
}

// New returns a Sender that runs command, unless it is empty, and posts to url, unless it is "". Each
// may take so long.
func New(command []string, url string, timeout time.Duration, log *slog.Logger) *Sender {
	life, end := context.WithCancel(context.Background())
	return &Sender{
		command: command, url: url, timeout: timeout, log: log, life: life, end: end,
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		places: semaphore.NewWeighted(waiting), turns: semaphore.NewWeighted(atOnce),
	}
}

// Warn passes a warning on, and returns at once.
func (s *Sender) Warn(w Warning) {
	if !s.places.TryAcquire(1) {
		s.log.Error("quota warning dropped", "mailbox", w.Mailbox, "percent", w.Percent, "waiting", waiting)
		return
	}
	s.all.Go(func() {
		defer s.places.Release(1)
		if s.turns.Acquire(s.life, 1) == nil { // else send logs it
			defer s.turns.Release(1)
		}
		guard.Run(s.log.With("mailbox", w.Mailbox), "quota warning", func() { s.send(w) })
	})
}

// Close returns when all warnings have been passed on, or could not be. When ctx ends before that, the
// programs that run are killed with all that they started, posts are broken off, and what waits is not
// passed on: the log names each.
func (s *Sender) Close(ctx context.Context) {
	defer s.end()
	defer context.AfterFunc(ctx, s.end)()
	s.all.Wait()
}

// errStopping says why a warning was broken off, or not begun.
var errStopping = errors.New("the server stops")

func (s *Sender) send(w Warning) {
	log := s.log.With("mailbox", w.Mailbox, "of", w.Of, "percent", w.Percent)
	body := text(w)
	for _, way := range []struct {
		name string
		used bool
		pass func(context.Context, Warning, []byte) error
	}{
		{"command", len(s.command) > 0, s.run},
		{"url", s.url != "", s.post},
	} {
		if !way.used {
			continue
		}
		ctx, cancel := context.WithTimeoutCause(s.life, s.timeout, fmt.Errorf("not finished after %s", s.timeout))
		err := way.pass(ctx, w, body)
		cancel()
		if s.life.Err() != nil && err != nil {
			err = errStopping
		}
		if err != nil {
			log.Error("quota warning not passed on", "way", way.name, "error", err)
		} else {
			log.Info("quota warning", "way", way.name)
		}
	}
}

// text is a warning as a line of JSON.
func text(w Warning) []byte {
	body, err := json.Marshal(w)
	if err != nil {
		panic(err) // there is nothing in it that could fail
	}
	return append(body, '\n')
}

// run runs the program, with all that it starts in one group, so that all of it ends in time.
func (s *Sender) run(ctx context.Context, w Warning, body []byte) error {
	c := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	c.Stdin = bytes.NewReader(body)
	said := &head{}
	c.Stdout, c.Stderr = said, said
	c.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"DOORSTEP_MAILBOX=" + w.Mailbox,
		"DOORSTEP_PERCENT=" + strconv.Itoa(w.Percent),
		"DOORSTEP_OF=" + w.Of,
		"DOORSTEP_USED_BYTES=" + strconv.FormatInt(w.Usage.Bytes, 10),
		"DOORSTEP_USED_MESSAGES=" + strconv.FormatInt(w.Usage.Messages, 10),
		"DOORSTEP_QUOTA_BYTES=" + strconv.FormatInt(w.Quota.Bytes, 10),
		"DOORSTEP_QUOTA_MESSAGES=" + strconv.FormatInt(w.Quota.Messages, 10),
	}
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // for what has left the group and keeps the output open
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if len(said.kept) > 0 {
			err = fmt.Errorf("%w, saying %q", err, said.kept)
		}
		return fmt.Errorf("%s: %w", s.command[0], err)
	}
	return nil
}

// A head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxOutput-len(h.kept))]...)
	return len(p), nil
}

func (s *Sender) post(ctx context.Context, _ Warning, body []byte) (err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "doorstep")
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if _, err := io.CopyN(io.Discard, answer.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return nil
}
