package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// subaddress: the user and the detail of an address (RFC 5233).
func subaddress() *Extension {
	return &Extension{
		Name: "subaddress", Standard: "RFC 5233",
		Parts: []*AddressPart{
			{"user", func(r *Run, a *message.Address) (string, bool) {
				user, _, ok := address.SplitDetail(a.Local, r.in.delimiters())
				if !ok {
					user = a.Local
				}
				return user, a.Valid
			}},
			{"detail", func(r *Run, a *message.Address) (string, bool) {
				_, detail, ok := address.SplitDetail(a.Local, r.in.delimiters())
				return detail, ok && a.Valid
			}},
		},
	}
}

func (in *Input) delimiters() string {
	if in.Delimiters == "" {
		return "+"
	}
	return in.Delimiters
}
