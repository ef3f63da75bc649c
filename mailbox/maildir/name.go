package maildir

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// hostOctets bounds the host part of a name. The rest takes at most 120 octets with sizes,
// and a file name may have 255.
const hostOctets = 128

// A Namer makes file names that no delivery has used before and none will use again:
//
//	<secs>.M<usec>P<pid>Q<seq>R<random>.<host>
//
// The form is the one Maildir readers know. Time, process and sequence are for people and
// for sorting; it is the 64 random bits that keep names apart across restarts, containers
// with the same process number, and a clock that was set back.
type Namer struct {
	host string
	pid  int
	seq  atomic.Uint64
}

// NewNamer returns a Namer for a host. Hosts that deliver into one Maildir must differ in it.
func NewNamer(host string) *Namer {
	return &Namer{host: escapeHost(host), pid: os.Getpid()}
}

// Next returns a new name.
func (n *Namer) Next(now time.Time) string {
	b := make([]byte, 0, 96+hostOctets)
	b = strconv.AppendInt(b, max(now.Unix(), 0), 10)
	b = append(b, ".M"...)
	b = strconv.AppendInt(b, int64(now.Nanosecond()/1000), 10)
	b = append(b, 'P')
	b = strconv.AppendInt(b, int64(n.pid), 10)
	b = append(b, 'Q')
	b = strconv.AppendUint(b, n.seq.Add(1), 10)
	b = append(b, 'R')
	for r, shift := rand.Uint64(), 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[r>>shift&15])
	}
	b = append(b, '.')
	b = append(b, n.host...)
	return string(b)
}

// ownName is the form of the names a Namer makes, whichever host made them.
var ownName = regexp.MustCompile(`^[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+R[0-9a-f]{16}\.`)

// IsOwn reports whether a name has the form of those a Namer makes.
func IsOwn(name string) bool { return ownName.MatchString(name) }

// escapeHost writes the octets that mean something in a file name (/), in a Maildir name (:
// and the comma before a size), or to a terminal, as a backslash and three octal digits. A long
// host name loses its end.
func escapeHost(host string) string {
	var b strings.Builder
	for i := range len(host) {
		c := host[i]
		written := string(c)
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/:,\`, c) >= 0 {
			written = fmt.Sprintf(`\%03o`, c)
		}
		if b.Len()+len(written) > hostOctets {
			break
		}
		b.WriteString(written)
	}
	return b.String()
}
