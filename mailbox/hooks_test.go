package mailbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox"
)

// TestHooksAreTold: each step of each copy is reported once, and its failure as one.
func TestHooksAreTold(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	note := func(what string, n int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			what += " failed"
		}
		told[what] += n
	}
	root := t.TempDir()
	store, err := mailbox.New(mailbox.Options{Create: true, Hooks: mailbox.Hooks{
		Staged:          func(_ time.Duration, err error) { note("staged", 1, err) },
		Synced:          func(_ time.Duration, err error) { note("synced", 1, err) },
		DirectorySynced: func(_ time.Duration, copies int, err error) { note("directory", min(copies, 1), err) },
		Begun:           func(copies int) { note("begun", copies, nil) },
		Ended:           func(_ time.Duration, err error) { note("ended", 1, err) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []bool{false, true} {
		content := store.NewContent()
		defer content.Close()
		content.Write([]byte("hello\r\n"))
		m := content.Deliver(
			mailbox.Copy{To: mailbox.Dest{Root: root, Path: "a"}, Header: []byte("X: a\r\n")},
			mailbox.Copy{To: mailbox.Dest{Root: root, Path: "b"}, Header: []byte("X: b\r\n")},
			mailbox.Copy{To: mailbox.Dest{Root: root + "/missing", Path: "c"}, Header: []byte("X: c\r\n")},
		)
		if all {
			m.CommitAll(context.Background(), func(err error) {
				if err == nil {
					t.Error("a copy without a root was stored")
				}
			})
			continue
		}
		m.Commit(context.Background(), func(int, error) {})
		mu.Lock()
		if told["staged"] != 2 || told["synced"] != 2 || told["directory"] < 2 || told["begun"] != 3 ||
			told["ended"] != 2 || told["ended failed"] != 1 {
			t.Errorf("told %v", told)
		}
		mu.Unlock()
	}
	if told["begun"] != 6 || told["ended failed"] != 4 {
		t.Errorf("in the end told %v, want as many ended as begun", told)
	}
}
