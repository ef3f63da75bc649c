package mailbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			full := Dest{Root: root, Path: "full", Folder: ".New", MakeFolder: AnyNumber, Quota: tt.quota}
			other := Dest{Root: root, Path: "other", Folder: ".New", MakeFolder: AnyNumber}
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
			if err := send(t, s, tt.text, full)[0]; err != nil {
				t.Error(err)
			}
			wantFolder(t, "with room", full, false)
		})
	}
}
