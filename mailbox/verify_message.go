package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

const (
	// maxNames bounds the messages of a folder that are compared with one another; each takes some 20 octets.
	maxNames = 1 << 22
	// maxDuplicates bounds the duplicates of a folder that are looked for.
	maxDuplicates = 1 << 16
	// maxCompared bounds the octets of a message that is read for its W=: a file with holes costs its owner nothing.
	maxCompared = 1 << 30
)

// message checks what is in new/ or cur/, which is open as dir.
func (v *verifier) message(dir int, name string, at Finding) error {
	is, err := v.fs.Stat(dir, name)
	switch {
	case err != nil:
		return v.unless(at, err)
	case !is.Regular:
		v.add(at, RuleStranger, "it is "+kindOf(is)+", no message", "move it away: no reader shows it")
		return nil
	case name[0] == '.':
		v.add(at, RuleStranger, "its name begins with a dot, so that it is no message", "move it away: no reader shows it")
		return nil
	}
	v.found.Messages++
	v.rights(at, is, 0o600)
	if err := maildir.CheckName(name, at.inCurrent()); err != nil {
		v.add(at, RuleName, err.Error(), "rename it while no program has the mailbox open")
	}
	if v.names.add(name) {
		v.add(Finding{Folder: at.Folder}, RuleDuplicate,
			fmt.Sprintf("there are more than %d messages, and duplicates are looked for among these alone", maxNames),
			"move some to other folders")
	}
	if is.Owner != v.owner || is.Mode&0o400 == 0 {
		return nil // perhaps not to be read, and found already
	}
	return v.sizes(dir, name, at, is.Size)
}

// inCurrent reports whether a finding is about a file in cur/.
func (f Finding) inCurrent() bool { return len(f.File) > 4 && f.File[:4] == "cur/" }

// kindOf names what is no regular file.
func kindOf(is kernel.FileState) string {
	switch is.Type {
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFLNK:
		return "a symbolic link"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFSOCK:
		return "a socket"
	}
	return "a device"
}

// sizes compares S= and W= with the file. What is compressed or encrypted has the sizes of its plain text in its name.
func (v *verifier) sizes(dir int, name string, at Finding, size int64) error {
	says, hasSize := maildir.SizeIn(name)
	saysCRLF, hasCRLF := maildir.CRLFSizeIn(name)
	if !hasCRLF && (!hasSize || says == size) {
		return nil
	}
	fd, err := v.fs.Open(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil // replaced meanwhile
	case err != nil:
		return v.unless(at, err)
	}
	defer v.fs.Shut(fd)
	is, err := v.fs.Stat(fd, "")
	if err != nil || !is.Regular {
		return v.unless(at, err)
	}
	const hint = "rename it to what it has, then run doorstep mailbox quota --recount"
	content, err := v.read(fd, hasCRLF && is.Size <= maxCompared)
	switch {
	case err != nil:
		return v.unless(at, err)
	case content.encoded:
		return nil
	case hasSize && says != is.Size:
		v.add(at, RuleSize, fmt.Sprintf("S= in its name is %d, and the file has %d octets", says, is.Size), hint)
	}
	switch crlf := content.octets + content.bare; {
	case !hasCRLF:
	case is.Size > maxCompared:
		v.add(at, RuleSize, "it is too large to compare W= in its name with it", "see what it is")
	case saysCRLF != crlf:
		v.add(at, RuleSize, fmt.Sprintf("W= in its name is %d, and with CRLF the file has %d octets", saysCRLF, crlf), hint)
	}
	return nil
}

// A readContent is what was read of a file.
type readContent struct {
	encoded      bool
	octets, bare int64 // bare are LFs without a CR before them
}

// encodings are what files begin with that Dovecot's plugins for compression and encryption write.
var encodings = [][]byte{
	[]byte("\x1f\x8b"), []byte("BZh"), []byte("\xfd7zXZ\x00"), []byte("\x28\xb5\x2f\xfd"), []byte("Dovecot-LZ4"),
	[]byte("CRYPTED\x03\x07"),
}

// read reads a file: its beginning, or all of it up to maxCompared.
func (v *verifier) read(fd int, all bool) (c readContent, err error) {
	for last := byte(0); c.octets <= maxCompared; {
		if err := v.ctx.Err(); err != nil {
			return c, err
		}
		n, err := kernel.Uninterrupted(func() (int, error) { return v.fs.Pread(fd, v.buf[:], c.octets) })
		if err != nil || n == 0 {
			return c, err
		}
		p := v.buf[:n]
		if c.octets == 0 {
			for _, e := range encodings {
				c.encoded = c.encoded || bytes.HasPrefix(p, e)
			}
		}
		c.octets += int64(n)
		c.bare += int64(bytes.Count(p, []byte("\n")) - bytes.Count(p, []byte("\r\n")))
		if last == '\r' && p[0] == '\n' {
			c.bare--
		}
		last = p[n-1]
		if c.encoded || !all {
			break
		}
	}
	return c, nil
}

// uniques are the unique parts of the names in a folder, as far as they are needed to find one that comes twice.
type uniques struct {
	seed  maphash.Seed
	most  int
	twice int
	seen  map[uint64]bool // whether it came again
}

func newUniques(most int) uniques {
	return uniques{seed: maphash.MakeSeed(), most: most, seen: map[uint64]bool{}}
}

// add adds a name, and reports whether it is the first one too many.
func (u *uniques) add(name string) (full bool) {
	key := u.key(name)
	again, known := u.seen[key]
	switch {
	case known && !again:
		u.seen[key] = true
		u.twice++
	case !known && len(u.seen) < u.most:
		u.seen[key] = false
	case !known && u.most > 0:
		u.most = 0
		return true
	}
	return false
}

func (u *uniques) key(name string) uint64 { return maphash.String(u.seed, maildir.Unique(name)) }

// duplicates reads the names of a folder again, of which some came twice: a message that a reader gave other flags, or
// moved to cur/, while the directories were read has two names and is there once.
func (v *verifier) duplicates(dir int, folder string) error {
	if v.names.twice == 0 {
		return nil
	}
	type place struct{ in, name string }
	first := map[string]place{} // by the unique part
	for _, in := range []string{"new", "cur"} {
		err := v.fs.Within(dir, in, func(fd int) error {
			return v.fs.List(v.ctx, fd, func(name string) error {
				unique, here := maildir.Unique(name), place{in, name}
				if !v.names.seen[v.names.key(name)] || !v.isMessage(dir, in, name) {
					return nil
				}
				other, known := first[unique]
				switch {
				case known && other != here && v.isMessage(dir, other.in, other.name):
					v.add(Finding{Folder: folder, File: in + "/" + name}, RuleDuplicate,
						"its unique part is that of "+other.in+"/"+other.name,
						"compare the two, and remove one or give it another name")
				case known || len(first) < maxDuplicates:
					first[unique] = here
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, unix.EACCES) {
			return err
		}
	}
	return nil
}

// isMessage reports whether a message of that name is in a directory below dir.
func (v *verifier) isMessage(dir int, in, name string) (is bool) {
	err := v.fs.Within(dir, in, func(fd int) error {
		state, err := v.fs.Stat(fd, name)
		is = state.Regular && name[0] != '.'
		return err
	})
	return err == nil && is
}
