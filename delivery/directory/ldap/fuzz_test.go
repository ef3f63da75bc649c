package ldap

import (
	"slices"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	client "github.com/go-ldap/ldap/v3"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// FuzzFilter: whatever is looked for, the filter asks for that and nothing else.
func FuzzFilter(f *testing.F) {
	for _, local := range []string{"alice", "*", `a)(|(uid=*`, `\2a`, "{domain}", "\x00", "用户", "\xff", "a\\"} {
		f.Add(local, "dst.example")
	}
	f.Add("alice", "例え.example")
	f.Fuzz(func(t *testing.T, local, domain string) {
		filter := fillIn("(&(objectClass=mailUser)(|(mail={address})(uid={local}))(!(o={domain})))", local, domain)
		compiled, err := client.CompileFilter(filter)
		if err != nil {
			t.Fatalf("%q: %v", filter, err)
		}
		want := []string{"objectClass", "mailUser", "mail", local + "@" + domain, "uid", local, "o", domain}
		if got := leaves(compiled); !slices.Equal(got, want) {
			t.Errorf("%q asks for %q", filter, got)
		}
	})
}

// leaves are the attributes and values of a filter, in order.
func leaves(p *ber.Packet) (texts []string) {
	if len(p.Children) == 0 {
		return []string{p.Data.String()}
	}
	for _, child := range p.Children {
		texts = append(texts, leaves(child)...)
	}
	return texts
}

// FuzzCheckFilter: a filter that is accepted is one for every address.
func FuzzCheckFilter(f *testing.F) {
	f.Add("(mail={address})", "alice")
	f.Add("(&(objectClass=mailUser)(mail={local}@{domain})(!(uid={local}*)))", "a*b")
	f.Add("({local}=x)", "a(b")
	f.Add("(mail:{domain}:={local})", "a b")
	f.Fuzz(func(t *testing.T, filter, local string) {
		if CheckFilter(filter) != nil {
			return
		}
		filled := fill(filter, directory.Key{Local: local, Domain: "xn--r8jz45g.example"})
		if _, err := client.CompileFilter(filled); err != nil {
			t.Errorf("%q is accepted, and for %q it is %q: %v", filter, local, filled, err)
		}
	})
}
