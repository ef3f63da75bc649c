package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"golang.org/x/sys/unix"
)

// needLandlock skips where the kernel has none.
func needLandlock(tb testing.TB) {
	tb.Helper()
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0,
		unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		tb.Skip("this kernel has no Landlock")
	}
}

// TestSandbox: the running process cannot write where it has nothing to do, here by a symlink in the
// store that leads out of it, and says so; a configuration that needs more is refused at a reload and at
// an upgrade, and a restart takes it.
func TestSandbox(t *testing.T) {
	needLandlock(t)
	dir := place(t)
	elsewhere, err := os.MkdirTemp("/var/tmp", "doorstep-elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(elsewhere) })
	s := serveConfig(t, dir, controlled(""))
	s.awaitLog(t, "msg=sandbox landlock=")
	session(t, dir).deliver("inside", "alice")
	wantStored(t, dir, "alice", "inside")

	outside := strings.Replace(controlled(""), `path = "mail/`, `path = "`+elsewhere+`/`, 1)
	rewrite(t, dir, outside)
	_, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml")
	if code != cli.ExitUsage || !strings.Contains(errs, "does not let it write to /var/tmp") ||
		!strings.Contains(errs, "hint: restart") {
		t.Errorf("reload: %q, exit status %d", errs, code)
	}
	_, errs, code = doorstep(t, dir, "upgrade", "-c", "doorstep.toml")
	if code != cli.ExitFailure || !strings.Contains(errs, "does not let it write to /var/tmp") {
		t.Errorf("upgrade: %q, exit status %d", errs, code)
	}
	session(t, dir).deliver("still inside", "alice")
	rewrite(t, dir, controlled(""))
	upgraded(t, dir)
	session(t, dir).deliver("inside after an upgrade", "alice")
	wantStored(t, dir, "alice", "inside", "still inside", "inside after an upgrade")
}

// TestSandboxIsReal: without what the kernel forbids, the delivery of this test would work. The
// configuration lets the store be somewhere only behind the sandbox's back.
func TestSandboxIsReal(t *testing.T) {
	needLandlock(t)
	elsewhere, err := os.MkdirTemp("/var/tmp", "doorstep-elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(elsewhere) })
	for _, enabled := range []bool{true, false} {
		dir := place(t)
		if err := os.Remove(filepath.Join(dir, "mail")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, "mail")); err != nil {
			t.Fatal(err)
		}
		s := serveConfig(t, dir, controlled(fmt.Sprintf("[sandbox]\nenabled = %t", enabled)))
		s.awaitLog(t, "sandbox")
		want := "250 2.0.0 "
		if enabled {
			want = "451 4."
		}
		d := session(t, dir)
		d.begin("alice")
		d.send(strings.TrimSuffix(message("by a link"), "\r\n") + "\r\n.\r\n")
		d.want(want)
	}
}

// TestNoSandboxWhereNobodyKnows: with {home}, mailboxes may be anywhere, unless the configuration says where.
func TestNoSandboxWhereNobodyKnows(t *testing.T) {
	for more, want := range map[string]string{
		"":                                `msg="no sandbox" reason="store.path begins with {home}`,
		"[sandbox]\npaths = [\"home\"]\n": "msg=sandbox landlock=",
	} {
		needLandlock(t)
		dir := place(t)
		home := filepath.Join(dir, "home", "alice")
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		config := strings.Replace(controlled(more), `path = "mail/{domain}/{local}/Maildir"`, `path = "{home}/Maildir"`, 1)
		config = strings.Replace(config, `address = "alice@example.org"`,
			`address = "alice@example.org"`+"\nhome = \""+home+"\"", 1)
		config = strings.Replace(config, `address = "bob@example.org"`,
			`address = "bob@example.org"`+"\nhome = \""+home+"2\"", 1)
		s := serveConfig(t, dir, config)
		s.awaitLog(t, want)
		session(t, dir).deliver("at home", "alice")
	}
}

// TestNoCoreDumps: nobody but root looks into the process, and no dump of it is written.
func TestNoCoreDumps(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(""))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.cmd.Process.Pid))
	if err != nil {
		t.Skip(err) // which only root may read then
	}
	if !strings.Contains(string(limits), "Max core file size        0                    0 ") {
		t.Errorf("%s", limits)
	}
	var stat unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/mem", s.cmd.Process.Pid), &stat); err != nil || stat.Uid != 0 {
		t.Errorf("the memory belongs to %d: %v", stat.Uid, err)
	}
}
