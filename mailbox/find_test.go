package mailbox

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// A folder is found by its own name, or else by the only one that differs from it in case or normalization form,
// however it stands on disk.
func TestFindFolder(t *testing.T) {
	for e, dirs := range map[FolderEncoding]map[string]string{
		FolderUTF7: {"umlaut": ".R&AOQ-ksm&APY-rg", "decomposed": ".e&AwE-", "other": ".&ZeVnLIqe-",
			"alike": ".&ZeVnLIqE-"},
		FolderUTF8: {"umlaut": ".Räksmörg", "decomposed": ".e\u0301", "other": ".日本語"},
	} {
		d := Dest{Root: scratch(t), Path: "u"}
		for _, dir := range []string{".Shop", ".Two", ".TWO", ".Exact", ".exact", ".Lists.Go", dirs["umlaut"],
			dirs["decomposed"], dirs["other"]} {
			mkdir(t, filepath.Join(d.String(), dir), "cur", "new", "tmp")
		}
		mkdir(t, filepath.Join(d.String(), ".Hollow"), "new")
		write(t, "", d.String(), ".File")
		s := open(t, Options{Create: true, Folders: e}, kernel.Linux{})
		for name, want := range map[string]string{
			"Shop": ".Shop", "shop": ".Shop", "SHOP": ".Shop",
			"exact": ".exact", "Exact": ".Exact", "EXACT": "twins", "two": "twins",
			"lists.gO": ".Lists.Go", "lists": "", "RÄKSMÖRG": dirs["umlaut"], "ra\u0308ksmo\u0308rg": dirs["umlaut"],
			"É": dirs["decomposed"], "日本語": dirs["other"], "hollow": "", "file": "", "none": "",
		} {
			dir, err := e.Dir(name)
			if err != nil {
				t.Fatal(err)
			}
			d.Folder = dir
			found, there, err := s.FindFolder(t.Context(), d)
			got := map[bool]string{true: found.Folder}[there]
			if errors.Is(err, ErrFolderTwins) {
				got, err = "twins", nil
			}
			if got != want || err != nil || !there && found != d {
				t.Errorf("encoding %d: %q is found as %q, %v; want %q", e, name, got, err, want)
			}
		}
		if dirs["alike"] != "" { // the same octets in another case are another text
			d.Folder = dirs["alike"]
			if found, there, err := s.FindFolder(t.Context(), d); there || err != nil {
				t.Errorf("%q is found as %q, %v", d.Folder, found.Folder, err)
			}
		}
	}
	nowhere := Dest{Root: scratch(t), Path: "none", Folder: ".a"}
	if _, there, err := open(t, Options{}, kernel.Linux{}).FindFolder(t.Context(), nowhere); there || err != nil {
		t.Errorf("without a Maildir: %t, %v", there, err)
	}
}

// Of messages that come at the same time for folders which differ in case only, one makes its folder. The others are
// told to come again, and find it.
func TestMakeFolderTwins(t *testing.T) {
	s := open(t, Options{Create: true}, kernel.Linux{})
	d := Dest{Root: scratch(t), Path: "u", MakeFolder: AnyNumber}
	outcomes := make(chan error)
	for _, name := range []string{".Shop", ".shop", ".SHOP", ".sHop"} {
		to := d
		to.Folder = name
		go func() { outcomes <- send(t, s, "x\r\n", to)[0] }()
	}
	delivered := 0
	for range 4 {
		if err := <-outcomes; err == nil {
			delivered++
		} else if !errors.Is(err, errFolderTwin) {
			t.Error(err)
		}
	}
	made, err := filepath.Glob(filepath.Join(d.String(), ".*"))
	if err != nil || len(made) != 1 || delivered != 1 {
		t.Errorf("%d delivered, folders %q, %v", delivered, made, err)
	}
	d.Folder = ".shop"
	found, there, err := s.FindFolder(t.Context(), d)
	if err != nil || !there || fmt.Sprint(found) != made[0] {
		t.Errorf("found %s, %t, %v", found, there, err)
	}
}
