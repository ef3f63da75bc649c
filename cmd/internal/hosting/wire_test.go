package hosting

import (
	"errors"
	"os"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// TestLatin1: in tables whose character set has no 用户, such an account is not there, which is no
// error; and a domain may be there in A-labels.
func TestLatin1(t *testing.T) {
	db := peer.StartMariaDB(t)
	text, err := os.ReadFile("testdata/postfixadmin.mysql.sql")
	if err != nil {
		t.Fatal(err)
	}
	db.Fill("old", string(text),
		insert("domain", "domain, description, transport", "xn--r8jz45g.example", "", "virtual"),
		insert("mailbox", "username, password, name, maildir, local_part, domain", "alice@xn--r8jz45g.example", "", "",
			"xn--r8jz45g.example/alice/", "alice", "xn--r8jz45g.example"))
	d := openDirectory(t, "mysql", connect(db, "old"), preset(t, "postfixadmin"))
	if entry, err := d.Lookup(t.Context(), directory.Key{Local: "alice", Domain: "xn--r8jz45g.example"}); err != nil ||
		entry.Account == nil {
		t.Errorf("alice: %+v, %v", entry, err)
	}
	if found, err := d.Domain(t.Context(), "xn--r8jz45g.example"); err != nil || found.Name != "xn--r8jz45g.example" {
		t.Errorf("domain: %+v, %v", found, err)
	}
	if entry, err := d.Lookup(t.Context(), directory.Key{Local: "用户", Domain: "xn--r8jz45g.example"}); !errors.Is(err,
		directory.ErrNotFound) {
		t.Errorf("用户: %+v, %v", entry, err)
	}
}
