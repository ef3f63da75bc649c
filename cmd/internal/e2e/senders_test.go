package e2e_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// oddSenders are reverse-paths that Postfix takes from programs on its machine, and how they stand
// in Return-Path.
var oddSenders = map[string]string{
	"user@host/dept.example": "<user@host/dept.example>",
	"user@a+b.example":       "<user@a+b.example>",
	"user@exa$mple":          "<user@exa$mple>",
	"user@example..com":      "<user@example..com>",
	"..@_h-.example":         `<".."@_h-.example>`,
}

// TestPostfixOddSenders: a report to such a sender could not be delivered either, so that to refuse
// it is to lose the message.
func TestPostfixOddSenders(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	s := openSite(t)
	p := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "lmtp:" + s.unix, Domains: []string{"dst.example"},
		Params: []string{"remote_header_rewrite_domain =", "append_at_myorigin = no", "append_dot_mydomain = no"},
	})
	want := map[string]string{"MAILER-DAEMON": "<MAILER-DAEMON>"}
	for from, path := range oddSenders {
		want[from] = path
	}
	var paths []string
	for from, path := range want {
		p.Submit(from, goodA, "Subject: "+from+"\n\ntext\n")
		paths = append(paths, path)
	}
	p.AwaitIdle(time.Minute)
	checkReturnPaths(t, s, paths)
}

// TestDeliverOddSenders: the same by doorstep deliver, which pipes call with any sender.
func TestDeliverOddSenders(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	program := filepath.Join(filepath.Dir(s.store), "doorstep")
	want := map[string]string{"<MAILER-DAEMON>": "<MAILER-DAEMON>", `"a b"@src.example`: `<"a b"@src.example>`, "<>": "<>"}
	for from, path := range oddSenders {
		want[from] = path
	}
	var paths []string
	for from, path := range want {
		cmd := exec.CommandContext(t.Context(), program, "deliver", "-c", program+".toml", "-f", from, goodA)
		cmd.Stdin = strings.NewReader("Subject: s\n\ntext\n")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", from, err, out)
		}
		paths = append(paths, path)
	}
	checkReturnPaths(t, s, paths)
}

// checkReturnPaths wants a message with each of the paths in goodA's mailbox, and no others.
func checkReturnPaths(t *testing.T, s *site, want []string) {
	t.Helper()
	var got []string
	for _, m := range s.messages(t, s.account(t, goodA)) {
		line, _, _ := strings.Cut(m, "\n")
		got = append(got, strings.TrimPrefix(line, "Return-Path: "))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("Return-Path fields %q, want %q", got, want)
	}
}
