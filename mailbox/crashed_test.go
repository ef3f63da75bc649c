package mailbox

import (
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
	"golang.org/x/sys/unix"
)

// A crashSetting is a choice of the administrator under which processes are killed and the power
// fails.
type crashSetting struct {
	name   string
	single bool
	copies int  // of each message
	owners bool // each home is another user's; takes root
	homes  int
	quota  Quota // of each mailbox, for little enough that it gets full
}

var (
	plainSetting  = crashSetting{name: "plain", copies: 1, homes: 50}
	crashSettings = []crashSetting{
		plainSetting,
		{name: "owners", copies: 2, homes: 50, owners: true},
		{name: "single copy", copies: 5, homes: 50, single: true},
		{name: "quota", copies: 1, homes: 4, quota: Quota{Messages: 8}},
	}
)

// longCrash says whether to run everything, as "make crash" does.
func longCrash() bool { return os.Getenv("DOORSTEP_CRASH") == "long" }

func (set crashSetting) options() Options { return Options{Create: true, SingleCopy: set.single} }

// need skips the test where it cannot be.
func (set crashSetting) need(t *testing.T) {
	if set.owners && os.Geteuid() != 0 {
		t.Skip("needs root, to deliver as other users")
	}
}

// dest is a mailbox in one of the homes below root.
func (set crashSetting) dest(root string, home int, name string) Dest {
	home %= set.homes
	to := Dest{Root: root, Path: fmt.Sprintf("d%d/%s", home, name), Quota: set.quota}
	if set.owners {
		to.Owner = ownerNumber(home % 16)
	}
	return to
}

// makeHomes makes the homes of owners below root, durably; what else is missing deliveries make.
func (set crashSetting) makeHomes(t *testing.T, root string) {
	t.Helper()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for home := range set.homes {
		to := set.dest(root, home, "")
		if !set.owners {
			break
		}
		if err := errors.Join(os.Mkdir(to.String(), 0o700), give(to.String(), to.Owner)); err != nil {
			t.Fatal(err)
		}
	}
	syncAll(t, root)
}

// writeBack does what the kernel does by itself half a minute later: what nobody has synced, as
// maildirsize, gets to the disk too, and the cut finds it old instead of missing.
func (set crashSetting) writeBack(t *testing.T, root string) {
	if set.quota != (Quota{}) {
		syncAll(t, root)
	}
}

// syncAll makes a whole file system durable.
func syncAll(t *testing.T, root string) {
	dir, err := os.Open(root)
	if err == nil {
		err = errors.Join(unix.Syncfs(int(dir.Fd())), dir.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// checkQuotas fills all mailboxes below root by what a crash has left in maildirsize: each message
// that fits is taken, a count finds what is there, and one more is refused.
func (set crashSetting) checkQuotas(t *testing.T, root string) {
	t.Helper()
	if set.quota == (Quota{}) {
		return
	}
	s := open(t, set.options(), kernel.Linux{})
	boxes, err := filepath.Glob(filepath.Join(root, "*/*/new"))
	if err != nil || len(boxes) == 0 {
		t.Fatalf("there are no mailboxes: %v", err)
	}
	unusable, wrong := 0, 0
	for _, box := range boxes {
		rel, err := filepath.Rel(root, filepath.Dir(box))
		if err != nil {
			t.Fatal(err)
		}
		to := Dest{Root: root, Path: rel, Quota: set.quota}
		held, left := truth(t, to), tallyOf(t, to)
		switch {
		case !left.Usable:
			unusable++
		case left.Usage != held:
			wrong++
		}
		for n := held.Messages; n < to.Quota.Messages; n++ {
			if err := send(t, s, "one that fits\r\n", to)[0]; err != nil {
				t.Errorf("MDIR-13: %s holds %+v, maildirsize said %+v: %v", rel, held, left, err)
			}
		}
		if got, err := s.Recount(t.Context(), to, nil); err != nil || got != truth(t, to) || tallyOf(t, to).Usage != got {
			t.Errorf("MDIR-13: %s holds %+v and is counted as %+v, %v", rel, truth(t, to), got, err)
		}
		if err := send(t, s, "one too many\r\n", to)[0]; !errors.Is(err, ErrOverQuota) {
			t.Errorf("%s: one more than its quota: %v", rel, err)
		}
	}
	t.Logf("%d mailboxes, %d without a usable maildirsize, %d whose total is not what they held", len(boxes),
		unusable, wrong)
}

// The power fails under each setting: what was reported is there, whole, under each of its names,
// and what maildirsize says then refuses no message that fits.
func TestPowerCutSettings(t *testing.T) {
	kinds, cuts := []powercut.FileSystem{powercut.Ext4}, 1
	if longCrash() {
		kinds, cuts = powercut.FileSystems, 10
	}
	powercut.Need(t, kinds...)
	if !powercut.Alone(t) {
		return
	}
	for _, kind := range kinds {
		for _, set := range crashSettings[1:] { // the first is that of TestPowerCutControls
			t.Run("LMTP-07 "+kind.Name+" "+set.name, func(t *testing.T) {
				set.need(t)
				reported, lost, torn := 0, 0, 0
				for range cuts {
					r, l, n := cutWithout(t, kind, set, nothingForgotten)
					reported, lost, torn = reported+r, lost+l, torn+n
				}
				t.Logf("%s, %s: %d cuts, %d reported, %d lost, %d torn", kind.Name, set.name, cuts, reported, lost, torn)
				if reported == 0 || lost+torn > 0 {
					t.Errorf("%d reported, %d lost, %d torn", reported, lost, torn)
				}
			})
		}
	}
}
