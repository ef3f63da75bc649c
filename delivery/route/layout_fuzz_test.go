package route_test

import (
	"context"
	"path"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// everybody is a directory in which every key is an account's own: what a database can hold.
type everybody struct{}

func (everybody) Lookup(_ context.Context, key directory.Key) (directory.Entry, error) {
	return directory.Entry{Account: &directory.Account{Address: key.String(), Key: key, Home: "/home/theirs"}}, nil
}

// FuzzNoWayOut: whatever octets come as a forward-path, and whatever they are found to mean, the
// mail goes below the root of the store, to a place with as many components as the layout
// has, and no folder is more than one. SEC, PATH-10.
func FuzzNoWayOut(f *testing.F) {
	for _, s := range []string{
		"u1@dst.example", `"../../../etc/passwd"@dst.example`, `"u1+../x"@dst.example`, `".."@dst.example`, `"/"@dst.example`,
		`"%2e%2e%2f"@dst.example`, "u1@..", "u1@dst.example.", "..%2f@dst.example", "u1+..@dst.example",
		"\u2025\uff0f@dst.example",
		"u\uff0e\uff0e\u2215@dst.example", "jose\u0301+\u2024\u2024@b\u00fccher.example", `"\.\.\/"@[127.0.0.1]`,
		"a@[x:../..]", "postmaster",
		`"{local}"@dst.example`, "a+{home}@dst.example", "\"a\x00\"@dst.example",
	} {
		f.Add(s, "+-./")
	}
	layouts := map[route.Layout]string{ // and its root
		"/srv/mail/{domain}/{local}/Maildir": "/srv/mail",
		"/srv/mail/u-{local}":                "/srv/mail",
		"/srv/{domain}/x/{domain}-{local}":   "/srv",
		"{home}/Maildir":                     "/home/theirs",
		"{home}":                             "/home",
	}
	f.Fuzz(func(t *testing.T, octets, delimiters string) {
		parser := address.Parser{UTF8: true, TrailingDot: true}
		for _, parser.Lenient8Bit = range []bool{false, true} {
			for _, parser.UTF8 = range []bool{false, true} {
				to, err := parser.ForwardPath(octets)
				if err != nil {
					continue
				}
				for _, policy := range []address.LocalPolicy{{}, {Fold: true}, {Fold: true, NFKC: true}} {
					checkWayOut(t, to, policy, delimiters, layouts)
				}
			}
		}
	})
}

func checkWayOut(t *testing.T, to address.Address, policy address.LocalPolicy, delimiters string,
	layouts map[route.Layout]string) {
	t.Helper()
	key, err := address.DomainKey(to.Domain)
	if err != nil {
		key = "dst.example"
	}
	domains := route.Domains{}
	must(t, domains.Add(&route.Domain{Name: "x", Key: key, Policy: policy, Subaddress: delimiters,
		CatchAll: route.Named{Key: directory.Key{Local: "catch", Domain: key}}}))
	r := &route.Resolver{Domains: domains, Directory: everybody{},
		Postmaster: route.Named{Key: directory.Key{Local: "postmaster", Domain: key}}}
	found, err := r.Resolve(context.Background(), to)
	if err != nil {
		return
	}
	for layout, root := range layouts {
		dest, err := layout.Dest(found[0].Account)
		if err != nil {
			t.Fatal(err)
		}
		depth := strings.Count(strings.TrimPrefix(string(layout), "{home}"), "/") - strings.Count(root, "/")
		if strings.HasPrefix(string(layout), "{home}") {
			depth = 1
		}
		if dest.Root != root || path.Clean(dest.String()) != dest.String() || !strings.HasPrefix(dest.String(), root+"/") ||
			strings.Count(dest.Path, "/") != depth-1 || strings.Contains(dest.String(), "\x00") {
			t.Errorf("%+q goes to %+q below %q by %s", to.Raw, dest.Path, dest.Root, layout)
		}
	}
	// Another candidate has the detail, when the first one is nobody.
	_, detail, _ := address.SplitDetail(to.Local, delimiters)
	for _, encoding := range []mailbox.FolderEncoding{mailbox.FolderUTF7, mailbox.FolderUTF8} {
		folder, err := encoding.Dir(detail)
		if err != nil {
			continue
		}
		if at := path.Join("/m", folder); at != "/m/"+folder || strings.Count(at, "/") != 2 ||
			!strings.HasPrefix(folder, ".") || len(folder) > 255 {
			t.Errorf("detail of %+q is folder %+q", to.Raw, folder)
		}
	}
}
