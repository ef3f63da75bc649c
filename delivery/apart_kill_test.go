package delivery_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// With these set, TestAttempt is a server that tries once to deliver to an alias, and is killed at a step.
const (
	attemptRoot = "DELIVERY_TEST_ROOT"
	attemptStep = "DELIVERY_TEST_KILLED"
)

// TestAttempt is the process that TestKilledApart kills.
func TestAttempt(t *testing.T) {
	root, step := os.Getenv(attemptRoot), os.Getenv(attemptStep)
	if root == "" {
		t.Skip("only for TestKilledApart")
	}
	kill := func(at string) {
		if at == step {
			must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
	}
	f := newFixture(t, "lmtp")
	store, err := mailbox.New(mailbox.Options{Create: true, Host: "mx.dst.example",
		Hooks: mailbox.Hooks{DirectorySynced: func(_ time.Duration, _ int, err error) {
			if err == nil {
				kill("copy")
			}
		}}})
	must(t, err)
	f.agent.Store, f.router.Store = store, store
	f.router.Layout = route.Layout(root + "/{domain}/{local}/Maildir")
	f.router.Resolver.Directory = lists{f.router.Resolver.Directory, map[string]string{"list": "u1 broken u2 u3"}}
	kept := state.NewSQLite(state.Options{Path: filepath.Join(root, "state.db")})
	f.agent.State, f.router.Apart = killed{kept, kill}, kept.Keeps
	tx, err := f.agent.Mail(t.Context(), &lmtp.Session{Hostname: "mx.dst.example"}, &lmtp.Envelope{ID: "1"})
	must(t, err)
	must(t, tx.Rcpt(t.Context(), &lmtp.Recipient{To: address.Address{Raw: "list@dst.example", Local: "list",
		Domain: "dst.example"}}))
	_, err = tx.Write([]byte("A: b\r\n\r\nc\r\n"))
	must(t, err)
	err = <-tx.Commit(t.Context())
	kill("answer")
	if os.Getenv(attemptStep) != "" || (err == nil) != isMaildir(root, "broken") {
		t.Errorf("was not killed at %q, or: %v", step, err)
	}
	must(t, kept.Close(context.Background()))
}

func isMaildir(root, local string) bool {
	info, err := os.Stat(filepath.Join(root, "dst.example", local, "Maildir"))
	return err == nil && info.IsDir()
}

// killed is a store whose process is killed.
type killed struct {
	*state.DB
	kill func(at string)
}

func (k killed) Recall(ctx context.Context, subject state.Key) (map[state.Key]bool, error) {
	k.kill("question")
	return k.DB.Recall(ctx, subject)
}

func (k killed) Remember(ctx context.Context, marks []state.Mark) error {
	k.kill("mark")
	err := k.DB.Remember(ctx, marks)
	k.kill("marked")
	return err
}

// TestKilledApart: a server killed at any step of the delivery to an alias loses no copy, and makes one come twice only
// where it was there and its mark was not.
func TestKilledApart(t *testing.T) {
	for _, tt := range []struct {
		step        string
		least, most int // copies of those who can have it
	}{
		{"question", 1, 1},
		{"copy", 1, 2},
		{"mark", 2, 2},
		{"marked", 1, 1},
		{"answer", 1, 1},
	} {
		t.Run(tt.step, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			broken := filepath.Join(root, "dst.example", "broken")
			must(t, os.MkdirAll(broken, 0o700))
			must(t, os.WriteFile(filepath.Join(broken, "Maildir"), nil, 0o600))
			attempt := func(step string) {
				t.Helper()
				cmd := exec.Command(os.Args[0], "-test.run=^TestAttempt$")
				cmd.Env = append(os.Environ(), attemptRoot+"="+root, attemptStep+"="+step)
				out, err := cmd.CombinedOutput()
				if wasKilled := strings.Contains(cmd.ProcessState.String(), "killed"); wasKilled != (step != "") ||
					err != nil && !wasKilled {
					t.Fatalf("%q: %v\n%s", step, cmd.ProcessState, out)
				}
			}
			attempt(tt.step)
			attempt("")
			attempt("")
			must(t, os.Remove(filepath.Join(broken, "Maildir")))
			attempt("")
			for _, local := range []string{"u1", "u2", "u3", "broken"} {
				files, err := filepath.Glob(filepath.Join(root, "dst.example", local, "Maildir/new/*"))
				must(t, err)
				least, most := tt.least, tt.most
				if local == "broken" {
					least, most = 1, 1
				}
				if len(files) < least || len(files) > most {
					t.Errorf("%s has %d copies, want %d to %d", local, len(files), least, most)
				}
			}
		})
	}
}
