package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A quotaBox is a mailbox with a quota that Doorstep, Dovecot and Courier's deliverquota fill.
type quotaBox struct {
	maildir string
	ctx     context.Context
	lmtp    *client.Client
	imap    *peer.IMAP
	courier peer.Courier
	rng     *rand.Rand
}

const (
	quotaUser     = "quota@dst.example"
	quotaBytes    = 100 << 20
	quotaMessages = 5000
)

// TestQuotaAgrees: after a thousand deliveries, removals and moves by Doorstep, Dovecot (with its
// quota driver maildir) and Courier, mixed, all three say that the mailbox holds what its files
// hold, by the file maildirsize that they share, and when they count; and all three find it full at the same
// time (MDIR-13).
func TestQuotaAgrees(t *testing.T) {
	t.Parallel()
	peer.Need(t, "dovecot", "deliverquota")
	s := openSite(t, fmt.Sprintf("[quota]\ngrace = 0\n[[user]]\naddress = %q\nquota = %d\nquota_messages = %d\n",
		quotaUser, quotaBytes, quotaMessages))
	box := &quotaBox{
		ctx: t.Context(), maildir: filepath.Join(s.store, "dst.example/quota/Maildir"), courier: peer.NewCourier(t),
		rng: rand.New(rand.NewPCG(13, 14)),
	}
	var err error
	if box.lmtp, err = client.Dial(t.Context(), s.tcp, client.Options{Hello: "client.example"}); err != nil {
		t.Fatal(err)
	}
	if err := box.ours(100); err != nil {
		t.Fatal(err)
	}
	d := peer.StartDovecot(t, peer.DovecotConfig{
		UID: peer.MailUser, GID: peer.MailUser, Users: []peer.DovecotUser{{Name: "reader", Maildir: box.maildir}},
		Settings: []string{
			"mail_plugins = quota", "protocol imap {\n mail_plugins = quota imap_quota\n}",
			fmt.Sprintf("plugin {\n quota = maildir:User quota\n quota_rule = *:storage=%d:messages=%d\n quota_rule2 = "+
				"Trash:ignore\n quota_grace = 0\n}", quotaBytes>>10, quotaMessages),
		},
	})
	if box.imap, err = peer.DialIMAP(d.Addr, "reader", peer.Password); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"Trash", "Archive"} {
		if err := box.imap.Create(folder); err != nil {
			t.Fatal(err)
		}
	}
	begun, counted := time.Now(), map[string]int{}
	for i := range 1000 {
		what, err := box.step()
		if err != nil {
			t.Fatalf("step %d, %s: %v", i, what, err)
		}
		counted[what]++
		if i%20 == 0 {
			box.check(t, fmt.Sprintf("step %d, %s", i, what))
		}
	}
	t.Logf("%v in %v", counted, time.Since(begun))
	box.checkCounts(t)
	box.checkFull(t)
	if c := d.Complaints(); len(c) > 0 {
		t.Errorf("Dovecot complains: %q", c)
	}
}

// step does one thing, and says what.
func (b *quotaBox) step() (what string, err error) {
	size := 100 + b.rng.IntN(5000)
	n, err := b.imap.Select("INBOX")
	if err != nil {
		return "select", err
	}
	dice := b.rng.IntN(100)
	if n == 0 {
		dice %= 70
	}
	switch {
	case dice < 40:
		return "delivered by doorstep", b.ours(size)
	case dice < 55:
		return "delivered by deliverquota", b.courier.Deliver(b.maildir, b.message(size))
	case dice < 63:
		return "saved by Dovecot", b.imap.Append("INBOX", strings.ReplaceAll(b.message(size), "\n", "\r\n"))
	case dice < 70:
		return "saved by Dovecot in a folder", b.imap.Append("Archive", strings.ReplaceAll(b.message(size), "\n", "\r\n"))
	case dice < 80:
		return "moved to Trash", b.imap.Move(1+b.rng.IntN(n), "Trash")
	case dice < 85:
		return "moved to a folder", b.imap.Move(1+b.rng.IntN(n), "Archive")
	default:
		return "removed", b.imap.Remove(1 + b.rng.IntN(n))
	}
}

func (b *quotaBox) message(size int) string {
	return "Subject: " + strconv.Itoa(size) + "\n\n" + strings.Repeat(strings.Repeat("x", 60)+"\n", size/61)
}

// ours delivers by Doorstep. The error is what it refused it with.
func (b *quotaBox) ours(size int) error {
	r, err := b.lmtp.Send(b.ctx, client.Message{From: mixFrom, To: client.To(quotaUser),
		Content: strings.NewReader(b.message(size))})
	if err != nil {
		return err
	}
	if o := r.Recipients[0]; !o.Delivered() {
		return errors.New(o.Final.String())
	}
	return nil
}

// truth is what the files of the mailbox come to, Trash left out.
func (b *quotaBox) truth(t *testing.T) (octets, messages int64) {
	t.Helper()
	for _, pattern := range []string{"new/*", "cur/*", ".Archive/new/*", ".Archive/cur/*"} {
		files, err := filepath.Glob(filepath.Join(b.maildir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			octets, messages = octets+info.Size(), messages+1
		}
	}
	return octets, messages
}

// maildirsize adds up the file; ok is false where there is none.
func (b *quotaBox) maildirsize(t *testing.T) (octets, messages int64, ok bool) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.maildir, "maildirsize"))
	if os.IsNotExist(err) {
		return 0, 0, false
	}
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(content), "\n")
	if want := fmt.Sprintf("%dS,%dC", quotaBytes, quotaMessages); head != want {
		t.Errorf("maildirsize has %q, want %q", head, want)
	}
	for line := range strings.Lines(rest) {
		var o, m int64
		if _, err := fmt.Sscan(line, &o, &m); err != nil {
			t.Fatalf("maildirsize has %q", line)
		}
		octets, messages = octets+o, messages+m
	}
	return octets, messages, true
}

// check wants the shared file, and Dovecot, to say what the files come to.
func (b *quotaBox) check(t *testing.T, when string) {
	t.Helper()
	octets, messages := b.truth(t)
	if o, m, ok := b.maildirsize(t); ok && (o != octets || m != messages) {
		t.Fatalf("%s: maildirsize says %d octets in %d messages, there are %d in %d", when, o, m, octets, messages)
	}
	kib, m, err := b.imap.Quota()
	if err != nil {
		t.Fatal(err)
	}
	if kib != octets>>10 && kib != (octets+1023)>>10 || m != messages {
		t.Fatalf("%s: Dovecot says %d KiB in %d messages, there are %d octets in %d", when, kib, m, octets, messages)
	}
}

// checkCounts has each of the three count anew.
func (b *quotaBox) checkCounts(t *testing.T) {
	t.Helper()
	size := filepath.Join(b.maildir, "maildirsize")
	for _, who := range []struct {
		name  string
		count func() error
	}{
		{"doorstep", func() error { return b.ours(300) }},
		// deliverquota takes the quota from the file's first line, and counts where that is all.
		{"deliverquota", func() error {
			head := fmt.Sprintf("%dS,%dC\n", quotaBytes, quotaMessages)
			if err := errors.Join(os.WriteFile(size, []byte(head+strings.Repeat("1 1\n", 1500)), 0o600),
				os.Chown(size, peer.MailUser, peer.MailUser)); err != nil {
				return err
			}
			return b.courier.Deliver(b.maildir, b.message(300))
		}},
		{"Dovecot", func() error { _, _, err := b.imap.Quota(); return err }},
	} {
		if err := os.Remove(size); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := who.count(); err != nil {
			t.Fatalf("%s: %v", who.name, err)
		}
		if _, _, ok := b.maildirsize(t); !ok {
			t.Errorf("%s counted, and wrote no maildirsize", who.name)
		}
		b.check(t, "counted by "+who.name)
	}
}

// checkFull fills the mailbox: nobody delivers into it any more, until Dovecot removes a message.
func (b *quotaBox) checkFull(t *testing.T) {
	t.Helper()
	filler := filepath.Join(b.maildir, "cur", fmt.Sprintf("1.filler,S=%d:2,S", quotaBytes))
	err := os.WriteFile(filler, nil, 0o600)
	err = errors.Join(err, os.Truncate(filler, quotaBytes), os.Chown(filler, peer.MailUser, peer.MailUser),
		os.Remove(filepath.Join(b.maildir, "maildirsize")))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ours(300); err == nil || !strings.HasPrefix(err.Error(), "452 4.2.2 ") {
		t.Errorf("full, doorstep: %v", err)
	}
	if err := b.courier.Deliver(b.maildir, b.message(300)); !errors.Is(err, peer.ErrOverQuota) {
		t.Errorf("full, deliverquota: %v", err)
	}
	if err := b.imap.Append("INBOX", b.message(300)); err == nil || !strings.Contains(err.Error(), "OVERQUOTA") {
		t.Errorf("full, Dovecot: %v", err)
	}
	n, err := b.imap.Select("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for i := n; i > 0; i-- {
		size, err := b.imap.Size(i)
		if err != nil {
			t.Fatal(err)
		}
		if size < quotaBytes {
			continue
		}
		if err := b.imap.Remove(i); err != nil {
			t.Fatal(err)
		}
	}
	b.check(t, "room again")
	if err := errors.Join(b.ours(300), b.courier.Deliver(b.maildir, b.message(300)),
		b.imap.Append("INBOX", "Subject: x\r\n\r\n")); err != nil {
		t.Errorf("room again: %v", err)
	}
	b.check(t, "at the end")
}
