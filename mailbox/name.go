package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// hostOctets bounds the host part of a name. The rest takes at most 120 octets with sizes,
// and a file name may have 255.
const hostOctets = 128

// A namer makes file names that no delivery has used before and none will use again:
//
//	<secs>.M<usec>P<pid>Q<seq>R<random>.<host>
//
// The form is the one Maildir readers know. Time, process and sequence are for people and
// for sorting; it is the 64 random bits that keep names apart across restarts, containers
// with the same process number, and a clock that was set back.
type namer struct {
	host string
	pid  int
	seq  atomic.Uint64
}

func newNamer(host string) *namer {
	return &namer{host: escapeHost(host), pid: os.Getpid()}
}

// next returns a new name.
func (n *namer) next(now time.Time) string {
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

// withSizes appends what readers want to know without opening the file: S, its octets, and
// W, its octets when every line ends in CRLF. S must be exact: Dovecot renames a file whose
// S is wrong.
func withSizes(name string, s sizes) string {
	b := make([]byte, 0, 256)
	b = append(b, name...)
	b = append(b, ",S="...)
	b = strconv.AppendInt(b, s.disk, 10)
	b = append(b, ",W="...)
	b = strconv.AppendInt(b, s.disk+s.bare, 10)
	return string(b)
}

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
