package route

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Layout says where Maildirs are: a path with {domain}, {local} and {home} in it. The part
// before the first of them must already exist; the rest is made of keys, each of which is one
// component, and so cannot lead out of it. An account whose directory says where its Maildir is
// has it there, below the same part of the path.
type Layout string

// Dest returns the place of an account's Maildir, without its owner.
func (l Layout) Dest(a *directory.Account) (mailbox.Dest, error) {
	root, template, err := l.root(a)
	if err != nil {
		return mailbox.Dest{}, err
	}
	dest := below(root, template, a)
	if a.Mailbox != "" {
		if dest, err = ownPath(root, a); err != nil {
			return mailbox.Dest{}, err
		}
	}
	if strings.HasPrefix(string(l), "{home}") && dest.Root == a.Home {
		dest.Fixed = aboveHome(a)
	}
	return dest, nil
}

// aboveHome returns the part of the path of a home directory that must already exist. The rest is made, as that of a
// store path is: the home itself, and the directory of its domain where that is above it.
func aboveHome(a *directory.Account) string {
	above, name := path.Split(a.Home)
	above = path.Clean(above)
	if name == "" {
		return "" // the root directory is no home
	}
	if domain := path.Base(above); domain == a.Key.Domain || domain == address.DomainUnicode(a.Key.Domain) {
		above = path.Dir(above)
	}
	return above
}

// root returns the part of the path that must already exist, and the template of the rest.
func (l Layout) root(a *directory.Account) (root, template string, err error) {
	template = string(l)
	if rest, ok := strings.CutPrefix(template, "{home}"); ok {
		if !path.IsAbs(a.Home) {
			return "", "", fmt.Errorf("%w %s: home %q is not an absolute path", errAccount, a.Address, a.Home)
		}
		return a.Home, strings.TrimPrefix(rest, "/"), nil
	}
	fixed, _, ok := strings.Cut(template, "{")
	if !ok || !path.IsAbs(fixed) {
		return "", "", fmt.Errorf("store path %q: %w", template, errLayout)
	}
	if a.Prefix != "" {
		return path.Clean(a.Prefix), template[len(fixed):], nil
	}
	root = fixed[:strings.LastIndexByte(fixed, '/')+1]
	return path.Clean(root), template[len(root):], nil
}

// errNoHome says that it is one account that is not there, not the store of all.
var errNoHome = errors.New("its home directory does not exist and cannot be made here: make it, or correct its path")

// missingHome says of a missing mail root that it is the home directory of the account, where it is.
func missingHome(a *directory.Account, dest mailbox.Dest, err error) error {
	if !errors.Is(err, mailbox.ErrNoRoot) || a == nil || a.Home == "" || dest.Root != a.Home {
		return err
	}
	return fmt.Errorf("%s: %w: %w", a.Address, errNoHome, err)
}

// ownPath takes the path that the account's directory has: relative to the root, or below it.
func ownPath(root string, a *directory.Account) (mailbox.Dest, error) {
	below := strings.TrimRight(a.Mailbox, "/") // as Postfix marks a Maildir
	if path.IsAbs(below) {
		inside, ok := strings.CutPrefix(below, strings.TrimSuffix(root, "/")+"/")
		if !ok {
			return mailbox.Dest{}, fmt.Errorf("%w %s: mailbox %q is not below %s, where the store is",
				errAccount, a.Address, a.Mailbox, root)
		}
		below = inside
	}
	dest := mailbox.Dest{Root: root, Path: below}
	if err := dest.Check(); err != nil {
		return mailbox.Dest{}, fmt.Errorf("%w %s: %w", errAccount, a.Address, err)
	}
	return dest, nil
}

var errLayout = errors.New("needs to be absolute, with {local} or {home} in it")

// below fills in the part of the path that names the account.
func below(root, template string, a *directory.Account) mailbox.Dest {
	filled := strings.Trim(fill(template, a), "/")
	if filled == "" {
		// The home directory itself is the Maildir: it is the one part that must be there.
		filled, root = path.Base(root), path.Dir(root)
	}
	return mailbox.Dest{Root: root, Path: filled}
}

// fill puts the account's names in the place of {domain} and {local}. It goes over the
// template once, and never over what it has put in.
func fill(template string, a *directory.Account) string {
	var b strings.Builder
	for {
		before, rest, _ := strings.Cut(template, "{")
		b.WriteString(before)
		template = template[len(before):]
		switch {
		case template == "":
			return b.String()
		case strings.HasPrefix(rest, "domain}"):
			b.WriteString(address.DiskName(a.Key.Domain)) // a name is its own; an address literal may hold "/"
			template = rest[len("domain}"):]
		case strings.HasPrefix(rest, "local}"):
			b.WriteString(address.DiskName(a.Key.Local))
			template = rest[len("local}"):]
		default:
			b.WriteByte('{')
			template = rest
		}
	}
}
