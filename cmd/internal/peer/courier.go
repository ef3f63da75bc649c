package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ErrOverQuota says that Courier's deliverquota found a mailbox full.
var ErrOverQuota = errors.New("deliverquota: over quota")

// exitOverQuota is its exit status then: EX_NOPERM of sysexits(3).
const exitOverQuota = 77

// A Courier delivers by Courier's deliverquota, which takes the quota from maildirsize.
type Courier struct{ program string }

// NewCourier makes a copy of deliverquota that MailUser can run.
func NewCourier(tb testing.TB) Courier {
	tb.Helper()
	Need(tb, "deliverquota")
	dir := MailDir(tb)
	installAside(tb, dir, "deliverquota")
	return Courier{filepath.Join(dir, "deliverquota")}
}

// Deliver delivers a message into a Maildir as MailUser.
func (c Courier) Deliver(maildir, content string) error {
	cmd := exec.Command(c.program, maildir)
	cmd.Stdin = strings.NewReader(content)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == exitOverQuota:
		return ErrOverQuota
	}
	return fmt.Errorf("deliverquota %s: %w, saying %q", maildir, err, said.String())
}
