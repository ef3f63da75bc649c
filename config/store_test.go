package config

import (
	"path"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestMaildirIsWhereDeliveryPutsIt: what is checked for collisions is the path that mail goes to.
func TestMaildirIsWhereDeliveryPutsIt(t *testing.T) {
	for _, template := range []string{
		"/srv/mail/{domain}/{local}/Maildir", "/srv/u-{local}", "/{local}@{domain}", "{home}/Maildir", "{home}",
		"{home}/{domain}-{local}",
	} {
		for _, local := range []string{"alice", "用户", "a/b", ".hidden", "100%", "{domain}"} {
			a := &directory.Account{Home: "/home/alice", Key: directory.Key{Local: local, Domain: "xn--bcher-kva.example"}}
			dest, err := route.Layout(template).Dest(a)
			if err != nil {
				t.Fatal(err)
			}
			want := path.Join(dest.Root, dest.Path)
			if got := (Store{Path: template}).maildir(a.Key.Domain, address.DiskName(local), a.Home); got != want {
				t.Errorf("%s of %q is %s, and mail goes to %s", template, local, got, want)
			}
		}
	}
}
