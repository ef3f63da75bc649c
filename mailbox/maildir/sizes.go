package maildir

import (
	"strconv"
	"strings"
)

// Sizes are what the name of a file says of its content.
type Sizes struct {
	Disk int64 // octets on disk
	Bare int64 // LFs without a CR before them: a reader adds one octet for each
}

// Plus adds the sizes of what follows.
func (s Sizes) Plus(t Sizes) Sizes { return Sizes{s.Disk + t.Disk, s.Bare + t.Bare} }

// WithSizes appends what readers want to know without opening the file: S, its octets, and
// W, its octets when every line ends in CRLF. S must be exact: Dovecot renames a file whose
// S is wrong.
func WithSizes(name string, s Sizes) string {
	b := make([]byte, 0, 256)
	b = append(b, name...)
	b = append(b, ",S="...)
	b = strconv.AppendInt(b, s.Disk, 10)
	b = append(b, ",W="...)
	b = strconv.AppendInt(b, s.Disk+s.Bare, 10)
	return string(b)
}

// maxSize is the largest size that a name is believed to have.
const maxSize = 1 << 50

// SizeIn returns what S= says in the name of a file; any program may have written it.
func SizeIn(name string) (octets int64, ok bool) { return sizeField(name, ",S=") }

// CRLFSizeIn returns what W= says in the name of a file; any program may have written it.
func CRLFSizeIn(name string) (octets int64, ok bool) { return sizeField(name, ",W=") }

// sizeField returns the number after a key.
func sizeField(name, key string) (octets int64, ok bool) {
	_, rest, ok := strings.Cut(name, key)
	if !ok {
		return 0, false
	}
	if end := strings.IndexAny(rest, ",:"); end >= 0 {
		rest = rest[:end]
	}
	n, err := strconv.ParseUint(rest, 10, 63)
	return int64(n), err == nil && n <= maxSize
}
