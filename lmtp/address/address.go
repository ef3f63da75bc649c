// Package address parses, compares and renders mail addresses. A Parser reads them by the grammar of RFC 5321 §4.1.2,
// with the additions of RFC 6531 §3.3. DomainKey and LocalPolicy.Key return the keys by which two spellings are one
// mailbox. Further functions render them for the wire, header fields, logs, terminals and file names.
//
// An Address keeps the octets it was received with. Keys are for comparison, and are never
// emitted: only the final host interprets a local part (RFC 5321 §2.3.11). The package
// knows no protocol state and no files.
package address

import "errors"

// Errors of the path parsers. Callers test them with errors.Is; the text says what was wrong.
var (
	// ErrSyntax is a path outside the grammar (501 5.1.3, 501 5.1.7).
	ErrSyntax = errors.New("address syntax")
	// ErrNeedsUTF8 is a well-formed path with non-ASCII octets where SMTPUTF8 was not
	// requested (RFC 6531 §3.5: 550 or 553 5.6.7).
	ErrNeedsUTF8 = errors.New("non-ASCII address without SMTPUTF8")
)

// An Address is a mailbox as it came over the wire. The zero Address is the null path <>.
// Without a domain are <Postmaster> (RFC 5321 §4.1.1.3), and senders such as <MAILER-DAEMON>.
type Address struct {
	// Raw is the mailbox as received, without angle brackets and source route.
	Raw string
	// Local is the local part with quoting removed: the octets it stands for.
	Local string
	// Domain is the domain or address literal as received: U-labels stay U-labels.
	Domain string
}

// IsNull reports whether a is the null reverse-path <>.
func (a Address) IsNull() bool { return a == Address{} }

// IsASCII reports whether a can be used without SMTPUTF8 as it stands. An A-label domain is
// ASCII (RFC 6530 §7.1).
func (a Address) IsASCII() bool { return isASCII(a.Local) && isASCII(a.Domain) }

// IsLiteral reports whether the domain is an address literal such as [192.0.2.1].
func (a Address) IsLiteral() bool { return isLiteral(a.Domain) }
