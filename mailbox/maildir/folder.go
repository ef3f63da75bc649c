package maildir

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrFolderName says that a text can be no folder's name.
var ErrFolderName = errors.New("not a folder name")

// maxLevel bounds one level of a folder's name as it stands on disk, in octets: a reader must be
// able to make another one below it (NAME_MAX is 255).
const maxLevel = 200

// A FolderEncoding says how the names of Maildir++ folders are written on disk. It must be that
// of the IMAP server that makes them.
type FolderEncoding int

const (
	// FolderUTF7 is modified UTF-7 (RFC 3501 §5.1.3), as Dovecot writes. It is the zero value.
	FolderUTF7 FolderEncoding = iota
	// FolderUTF8 is plain UTF-8, as Courier writes, and Dovecot with mailbox_list_utf8.
	FolderUTF8
)

// Dir returns the directory, one component inside a Maildir, of the folder with this name in
// UTF-8, whose levels dots separate: "Lists.Go" is in ".Lists.Go". The name is taken in
// normalization form C (RFC 5198 §3). The error wraps ErrFolderName: for a name with an empty
// level, "/", a control character, an octet that is not UTF-8, or too many octets, for INBOX, which is no folder but
// the Maildir itself, and for names by which Dovecot opens no folder.
func (e FolderEncoding) Dir(name string) (string, error) {
	if err := checkFolder(name); err != nil {
		return "", err
	}
	name = norm.NFC.String(name)
	if e == FolderUTF7 {
		name = encodeUTF7(name)
	}
	for level := range strings.SplitSeq(name, ".") {
		switch {
		case level == "":
			return "", folderError("empty level")
		case len(level) > maxLevel:
			return "", folderError("level over 200 octets")
		}
	}
	if len(name) >= 255 {
		return "", folderError("over 254 octets")
	}
	return "." + name, nil
}

// IsRisky reports whether some IMAP servers that read this encoding fail over a folder with this name,
// and with it over the list of all folders, so that strangers must not be able to make one. Courier's
// (5.0.13) is one: it breaks a session off that lists a name with characters of four octets, for want
// of surrogates in modified UTF-7.
func (e FolderEncoding) IsRisky(name string) bool {
	return e == FolderUTF8 && strings.ContainsFunc(name, func(r rune) bool { return r > 0xFFFF })
}

// Name returns the name of the folder in a directory that Dir could have named.
func (e FolderEncoding) Name(dir string) (string, error) {
	name, ok := e.Read(dir)
	if !ok {
		return "", folderError("not written by this encoding")
	}
	if back, err := e.Dir(name); err != nil {
		return "", err
	} else if back != dir {
		return "", folderError("not in its canonical form")
	}
	return name, nil
}

// Read returns what the name of a directory says, also where Dir would write the same in another way; ok is false where
// it is nothing in this encoding.
func (e FolderEncoding) Read(dir string) (name string, ok bool) {
	name, ok = strings.CutPrefix(dir, ".")
	if ok && e == FolderUTF7 {
		name, ok = decodeUTF7(name)
	}
	return name, ok && name != ""
}

// checkFolder refuses what no name may hold in either encoding.
func checkFolder(name string) error {
	switch {
	case len(name) > 4*255:
		return folderError("too long") // before it is normalized and encoded
	case !utf8.ValidString(name):
		return folderError("not valid UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return folderError("control character")
	case strings.Contains(name, "/"):
		return folderError("slash")
	case strings.EqualFold(name, "INBOX"):
		return folderError("INBOX is the Maildir itself")
	case strings.HasPrefix(name, "~"):
		return folderError("begins with ~, which Dovecot takes for a home directory")
	}
	// INBOX is the same in any case (RFC 9051 §5.1). Dovecot looks for what is below it in the one that is all capitals.
	if first, _, _ := strings.Cut(name, "."); first != "INBOX" && strings.EqualFold(first, "INBOX") {
		return folderError("INBOX is in capitals where folders are below it")
	}
	return nil
}

func folderError(why string) error { return fmt.Errorf("%w: %s", ErrFolderName, why) }
