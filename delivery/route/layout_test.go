package route_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
)

// TestPrefix: a directory may say where a mailbox is, but not what leads out of there.
func TestPrefix(t *testing.T) {
	key := directory.Key{Local: "{local}", Domain: "x.example"}
	for _, tt := range []struct {
		layout     route.Layout
		account    directory.Account
		root, path string // "" where there is none
	}{
		{"/srv/mail/{domain}/{local}/Maildir", directory.Account{}, "/srv/mail", "x.example/{local}/Maildir"},
		{"/srv/mail/{domain}/{local}/Maildir", directory.Account{Prefix: "/srv/disk2/"}, "/srv/disk2",
			"x.example/{local}/Maildir"},
		{"/srv/mail/{domain}/{local}/Maildir", directory.Account{Prefix: "/srv//{domain}/"}, "/srv/{domain}",
			"x.example/{local}/Maildir"},
		{"/srv/mail/u-{local}", directory.Account{Prefix: "/srv/disk2/"}, "/srv/disk2", "{local}"},
		{"/srv/mail/{local}", directory.Account{Prefix: "/srv/disk2/", Mailbox: "a/Maildir"}, "/srv/disk2", "a/Maildir"},
		{"/srv/mail/{local}", directory.Account{Prefix: "/srv/disk2/", Mailbox: "/srv/disk2/a"}, "/srv/disk2", "a"},
		{"/srv/mail/{local}", directory.Account{Prefix: "/srv/disk2/", Mailbox: "/srv/mail/a"}, "", ""},
		{"/srv/mail/{local}", directory.Account{Prefix: "/srv/disk2/", Mailbox: "../a"}, "", ""},
	} {
		tt.account.Address, tt.account.Key = "{local}@x.example", key
		dest, err := tt.layout.Dest(&tt.account)
		if dest.Root != tt.root || dest.Path != tt.path || (err == nil) != (tt.root != "") {
			t.Errorf("%s, prefix %q, mailbox %q: %q below %q, %v", tt.layout, tt.account.Prefix, tt.account.Mailbox, dest.Path,
				dest.Root, err)
		}
	}
}
