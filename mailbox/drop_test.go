package mailbox_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox"
)

// A copy that is in no set leaves nothing, not even where the others were to be made from it.
func TestDrop(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "spilled": 3 << 20} {
		for _, dropped := range []int{0, 1} {
			t.Run(name, func(t *testing.T) {
				root := t.TempDir()
				store, err := mailbox.New(mailbox.Options{Create: true, Host: "mx.example", Durability: mailbox.None})
				if err != nil {
					t.Fatal(err)
				}
				defer store.Close()
				c := store.NewContent()
				defer c.Close()
				boxes := []string{"a", "b", "c"}
				var copies []mailbox.Copy
				for _, box := range boxes {
					to := mailbox.Dest{Root: root, Path: box}
					copies = append(copies, mailbox.Copy{To: to, Header: []byte("X: " + box + "\r\n")})
				}
				m := c.Deliver(copies...)
				content := append([]byte("\r\n"), bytes.Repeat([]byte("0123456789abcdef\r\n"), size/18)...)
				if _, err := c.Write(content); err != nil {
					t.Fatal(err)
				}
				sets := mailbox.Sets{}
				for i := range boxes {
					if i != dropped {
						sets.Of = append(sets.Of, []int{i})
					}
				}
				errs := make([]error, len(boxes))
				m.CommitSets(context.Background(), sets, func(i int, err error) { errs[i] = err })
				for i, box := range boxes {
					files, err := filepath.Glob(filepath.Join(root, box, "*", "*"))
					if err != nil {
						t.Fatal(err)
					}
					if i == dropped {
						if !errors.Is(errs[i], mailbox.ErrTogether) || len(files) > 0 {
							t.Errorf("%s: %v, %v", box, errs[i], files)
						}
						continue
					}
					if errs[i] != nil || len(files) != 1 {
						t.Errorf("%s: %v, %v", box, errs[i], files)
						continue
					}
					text, err := os.ReadFile(files[0])
					want := "X: " + box + "\n" + string(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
					if err != nil || string(text) != want {
						t.Errorf("%s: %d octets, want %d (%v)", box, len(text), len(want), err)
					}
				}
			})
		}
	}
}
