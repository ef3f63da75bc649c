package mailbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// A folder, and the subscription to it, are made for a message that has its place there, and for no other: one that is
// refused spends nothing of limits.folders.
func TestFolderIsMadeLast(t *testing.T) {
	small, large := "x\r\n", strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10<<10)
	for what, tt := range map[string]struct {
		text  string
		quota Quota
		all   bool // or none
		close bool // before the commit, as where the message turns out to be in a loop
	}{
		"full":                        {text: small, quota: Quota{Messages: 1}},
		"full, large":                 {text: large, quota: Quota{Messages: 1}},
		"no room for it":              {text: large, quota: Quota{Bytes: 100}},
		"full, all or none":           {text: small, quota: Quota{Messages: 1}, all: true},
		"full, large, all or none":    {text: large, quota: Quota{Messages: 1}, all: true},
		"refused when it is complete": {text: large, close: true},
	} {
		t.Run(what, func(t *testing.T) {
			s := open(t, Options{Create: true, Spool: t.TempDir()}, kernel.Linux{})
			root := scratch(t)
			other := Dest{Root: root, Path: "other", Folder: ".New", MakeFolder: AnyNumber, Quota: roomy}
			full := Dest{Root: root, Path: "full", Folder: ".New", MakeFolder: AnyNumber, Quota: tt.quota}
			put(t, full, "cur/1.a,S=10:2,S", 10)
			c := s.NewContent()
			defer c.Close()
			copies := []Copy{{To: full}}
			if tt.all {
				copies = []Copy{{To: other}, {To: full}}
			}
			m := c.Deliver(copies...)
			if _, err := c.Write([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			var err error
			switch {
			case tt.close:
				c.Close()
			case tt.all:
				m.CommitAll(t.Context(), func(e error) { err = e })
			default:
				m.Commit(t.Context(), func(_ int, e error) { err = e })
			}
			if !tt.close && !errors.Is(err, ErrOverQuota) {
				t.Errorf("%v, want ErrOverQuota", err)
			}
			for _, d := range []Dest{full, other} {
				if there, err := s.HasFolder(context.Background(), d); there || err != nil {
					t.Errorf("the folder in %s: %t, %v", d.Inbox(), there, err)
				}
				if _, err := os.Lstat(filepath.Join(d.Inbox().String(), "subscriptions")); !os.IsNotExist(err) {
					t.Errorf("the subscription in %s: %v", d.Inbox(), err)
				}
			}
			full.Quota = Quota{}
			for i, err := range send(t, s, tt.text, full, other) {
				if err != nil {
					t.Error(i, err)
				}
			}
			wantFolder(t, "with room", full, false)
		})
	}
}

// A copy that fails as it is written spends no folder of a set that goes nowhere, and one that goes with another set
// has its folder made at once, also while the first set still waits for a file system that hangs.
func TestFolderIsMadeForSetThatGoes(t *testing.T) {
	for what, tt := range map[string]struct {
		sets    [][]int
		hangs   bool
		folders string // of which mailbox
	}{
		"one that cannot be written":            {sets: [][]int{{0, 1, 2}}},
		"in another set":                        {sets: [][]int{{0, 1}, {1, 2}}, folders: "b c"},
		"alone too":                             {sets: [][]int{{0, 1}, {1}, {2}}, folders: "b c"},
		"in another set, while one hangs":       {sets: [][]int{{0, 1}, {1, 2}}, hangs: true, folders: "b c"},
		"alone too, while another hangs":        {sets: [][]int{{0, 1}, {1}, {2}}, hangs: true, folders: "b c"},
		"in the set with the one that hangs":    {sets: [][]int{{0, 1, 2}}, hangs: true},
		"each in a set with the one that hangs": {sets: [][]int{{0, 1}, {0, 2}}, hangs: true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root, sys, lifted := scratch(t), newProbe(), make(chan struct{})
				s := open(t, Options{Create: true, Folders: FolderUTF8}, sys)
				sys.before = func(_ int, c call) error {
					switch {
					case c.name != "writev" || !strings.HasPrefix(c.path, root+"/a/tmp"):
						return nil
					case tt.hangs:
						<-lifted
					}
					return unix.EIO
				}
				dests := []Dest{{Root: root, Path: "a"}}
				for _, name := range []string{"b", "c"} {
					dests = append(dests, Dest{Root: root, Path: name, Folder: ".New", MakeFolder: 1, Quota: roomy})
				}
				outcomes, over := scenario{transaction: transaction{sets: tt.sets}}.begin(s, "x\r\n", dests)
				synctest.Wait()
				if there := foldersOf(t, s, dests[1:]); there != tt.folders {
					t.Errorf("the folder is in %q, want %q", there, tt.folders)
				}
				close(lifted)
				<-over
				synctest.Wait()
				for range dests {
					o := <-outcomes
					if is := strings.Contains(tt.folders, dests[o.copy].Path); is != (o.err == nil) {
						t.Errorf("%s: %v", dests[o.copy], o.err)
					}
				}
				if there := foldersOf(t, s, dests[1:]); there != tt.folders || !s.ledger.Idle() || !s.busy.Idle() {
					t.Errorf("afterwards the folder is in %q, want %q, or a mailbox is busy", there, tt.folders)
				}
				if left := sys.leaks(); left != nil {
					t.Errorf("left open: %q", left)
				}
			})
		})
	}
}

// foldersOf returns the mailboxes whose folder is there.
func foldersOf(t *testing.T, s *Store, dests []Dest) string {
	t.Helper()
	var there []string
	for _, to := range dests {
		if is, err := s.hasFolder(to); err != nil {
			t.Error(err)
		} else if is {
			there = append(there, to.Path)
		}
	}
	return strings.Join(there, " ")
}
