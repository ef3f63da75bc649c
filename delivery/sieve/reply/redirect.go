package reply

import (
	"slices"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// redirectedFrom is the field by which Pigeonhole knows mail that it redirected before; filters know it too.
const redirectedFrom = "X-Sieve-Redirected-From"

// Redirected returns the header of a message that an account sends on: it names the first of its addresses, and has no
// path of the delivery. ok is false if it names one already: the message goes in a circle.
func Redirected(header []*message.Field, account ...string) (redirected []*message.Field, ok bool) {
	for _, f := range header {
		if f.Key() == message.Lower(redirectedFrom) && isOneOf(f.Value(), account) {
			return nil, false
		}
	}
	rest := slices.DeleteFunc(slices.Clone(header), func(f *message.Field) bool { return f.Key() == "return-path" })
	return append([]*message.Field{message.NewField(redirectedFrom, account[0])}, rest...), true
}
