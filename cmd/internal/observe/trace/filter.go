package trace

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Filter says whose dialogues are shown.
type Filter struct {
	peer   netip.Prefix
	unix   bool
	local  string // key; "" for a whole domain
	domain string // key; "" for a peer
}

// Parse reads what to show: an address, @domain, an IP address or prefix, or "unix". Addresses are
// compared without regard to case, spelling of the domain and what stands after a plus.
func Parse(s string) (Filter, error) {
	s = address.Unescape(s)
	if local, domain, ok := cutLast(s, "@"); ok {
		f, ok := keysOf(local, domain)
		if !ok {
			return Filter{}, fmt.Errorf("%q is not an address", s)
		}
		return f, nil
	}
	if s == "unix" {
		return Filter{unix: true}, nil
	}
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return Filter{peer: prefix.Masked()}, nil
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		ip = ip.Unmap().WithZone("")
		return Filter{peer: netip.PrefixFrom(ip, ip.BitLen())}, nil
	}
	return Filter{}, errors.New("neither an address nor a peer: " + address.Escape(address.Cut(s, maxText)))
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// keysOf are the keys of an address; ok is false where it has none.
func keysOf(local, domain string) (f Filter, ok bool) {
	var err error
	if f.domain, err = address.DomainKey(domain); err != nil {
		return Filter{}, false
	}
	if local == "" {
		return f, true
	}
	if user, _, split := address.SplitDetail(local, "+"); split {
		local = user
	}
	f.local, err = address.LocalPolicy{Fold: true}.Key(local)
	return f, err == nil
}

// peerOnly reports whether no address is looked for.
func (f Filter) peerOnly() bool { return f.domain == "" }

// isPeer reports whether the peer is the one that is looked for.
func (f Filter) isPeer(peer string) bool {
	if f.unix {
		return peer == "unix"
	}
	if !f.peer.IsValid() {
		return false
	}
	ip, err := netip.ParseAddr(peer)
	return err == nil && f.peer.Contains(ip.WithZone(""))
}

// names reports whether a command names the address.
func (f Filter) names(verb, args string) bool {
	prefix := map[string]string{"MAIL": "FROM:", "RCPT": "TO:"}[verb]
	if f.peerOnly() || prefix == "" || len(args) < len(prefix) {
		return false
	}
	path, _, err := address.ScanPath(args[len(prefix):])
	if err != nil {
		return false
	}
	parse := address.Parser{UTF8: true, TrailingDot: true}.ReversePath // which takes more
	if verb == "RCPT" {
		parse = address.Parser{UTF8: true, TrailingDot: true}.ForwardPath
	}
	a, err := parse(path)
	return err == nil && f.matches(a.Local, a.Domain)
}

// is reports whether the address is the one that is looked for.
func (f Filter) is(mailbox string) bool {
	if f.peerOnly() {
		return false
	}
	a, err := address.Parse(mailbox)
	return err == nil && f.matches(a.Local, a.Domain)
}

func (f Filter) matches(local, domain string) bool {
	other, ok := keysOf(local, domain)
	return ok && other.domain == f.domain && (f.local == "" || other.local == f.local)
}
