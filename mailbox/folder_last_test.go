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
		close bool // before the commit, as where the message turns out to be in a loop
	}{
		"full":                        {text: small, quota: Quota{Messages: 1}},
		"full, large":                 {text: large, quota: Quota{Messages: 1}},
		"no room for it":              {text: large, quota: Quota{Bytes: 100}},
		"refused when it is complete": {text: large, close: true},
	} {
		t.Run(what, func(t *testing.T) {
			s := open(t, Options{Create: true, Spool: t.TempDir()}, kernel.Linux{})
			full := Dest{Root: scratch(t), Path: "full", Folder: ".New", MakeFolder: AnyNumber, Quota: tt.quota}
			put(t, full, "cur/1.a,S=10:2,S", 10)
			c := s.NewContent()
			defer c.Close()
			m := c.Deliver(Copy{To: full})
			if _, err := c.Write([]byte(tt.text)); err != nil {
				t.Fatal(err)
			}
			var err error
			switch {
			case tt.close:
				c.Close()
			default:
				m.Commit(t.Context(), func(_ int, e error) { err = e })
			}
			if !tt.close && !errors.Is(err, ErrOverQuota) {
				t.Errorf("%v, want ErrOverQuota", err)
			}
			if there, err := s.HasFolder(context.Background(), full); there || err != nil {
				t.Errorf("the folder is there: %t, %v", there, err)
			}
			if _, err := os.Lstat(filepath.Join(full.Inbox().String(), "subscriptions")); !os.IsNotExist(err) {
				t.Errorf("the subscription: %v", err)
			}
			full.Quota = Quota{}
			if err := send(t, s, tt.text, full)[0]; err != nil {
				t.Error(err)
			}
			wantFolder(t, "with room", full, false)
		})
	}
}
