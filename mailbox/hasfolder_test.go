package mailbox

import (
	"errors"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"slices"
	"testing"
)

func TestFolderDelivery(t *testing.T) {
	inbox := Dest{Root: t.TempDir(), Path: "d/u"}
	folder := inbox
	folder.Folder = ".R&AOQ-ksm&APY-rg&AOU-s &- Co"
	s := open(t, Options{Create: true}, kernel.Linux{})

	t.Run("MDIR-10 a missing folder is not made", func(t *testing.T) {
		if there, err := s.HasFolder(t.Context(), folder); there || err != nil {
			t.Errorf("%t, %v", there, err)
		}
		if err := send(t, s, "x\r\n", inbox)[0]; err != nil {
			t.Fatal(err)
		}
		if there, err := s.HasFolder(t.Context(), folder); there || err != nil {
			t.Errorf("%t, %v", there, err)
		}
		if err := send(t, s, "x\r\n", folder)[0]; !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%v, want ErrNoMailbox", err)
		}
		if names := in(t, inbox.String()); !slices.Equal(names, []string{"cur", "new", "tmp"}) {
			t.Errorf("made %q", names)
		}
	})
	t.Run("MDIR-10 delivered into the folder", func(t *testing.T) {
		mkdir(t, folder.String(), "cur", "new", "tmp")
		if there, err := s.HasFolder(t.Context(), folder); !there || err != nil {
			t.Errorf("%t, %v", there, err)
		}
		outcomes := send(t, s, "y\r\n", folder, inbox)
		if outcomes[0] != nil || outcomes[1] != nil {
			t.Fatal(outcomes)
		}
		if got := mails(t, folder); len(got) != 1 {
			t.Errorf("the folder holds %q", got)
		}
		if got := mails(t, inbox); len(got) != 2 {
			t.Errorf("the inbox holds %q", got)
		}
	})
	t.Run("MDIR-10 new is made again in a folder", func(t *testing.T) {
		if err := os.RemoveAll(folder.String() + "/new"); err != nil {
			t.Fatal(err)
		}
		if err := send(t, s, "z\r\n", folder)[0]; err != nil {
			t.Error(err)
		}
	})
	t.Run("SEC a symbolic link is no folder", func(t *testing.T) {
		link := inbox
		link.Folder = ".link"
		if err := os.Symlink(t.TempDir(), link.String()); err != nil {
			t.Fatal(err)
		}
		if there, err := s.HasFolder(t.Context(), link); there || err != nil {
			t.Errorf("%t, %v", there, err)
		}
		if err := send(t, s, "x\r\n", link)[0]; !errors.Is(err, ErrNotMaildir) {
			t.Errorf("%v, want ErrNotMaildir", err)
		}
	})
	t.Run("MDIR-10 what no folder is called", func(t *testing.T) {
		for _, name := range []string{"cur", ".", "..", ".a/b", "../.a", ".a\x00"} {
			to := inbox
			to.Folder = name
			if _, err := s.HasFolder(t.Context(), to); err == nil {
				t.Errorf("looked for %q", name)
			}
			if err := send(t, s, "x\r\n", to)[0]; err == nil {
				t.Errorf("delivered to %q", name)
			}
		}
	})
	t.Run("MDIR-17 no root", func(t *testing.T) {
		lost := Dest{Root: inbox.Root + "/lost", Path: "u", Folder: ".a"}
		if _, err := s.HasFolder(t.Context(), lost); !errors.Is(err, ErrNoRoot) {
			t.Errorf("%v, want ErrNoRoot", err)
		}
	})
}
