package directory

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
)

// An Account is what a directory knows of one mailbox. It is shared, and not changed once a
// directory has returned it.
type Account struct {
	// Address is the canonical address as the administrator wrote it.
	Address string
	// Key is the key of Address: it names the mailbox, whichever alias led to it.
	Key Key
	// Home is the account's home directory, for store paths with {home}; "" when unknown.
	Home string
	// Disabled accounts refuse mail: "" means enabled, "defer" 450 4.2.1, "reject" 550 5.2.1, and
	// "unknown" 550 5.1.1, as if the account did not exist, though no catch-all has its mail.
	Disabled string
	// ASCIIOnly accounts take no internationalized mail, because what reads them cannot show
	// it: a transaction with SMTPUTF8 is refused with 550 5.6.9 (RFC 6531 §3.5).
	ASCIIOnly bool
	// OwnerSince is when the mailbox came to its present owner, the zero Time when unknown
	// (RFC 7293).
	OwnerSince time.Time
	// Quota is what the mailbox may hold.
	Quota Quota
	// Owner is the user whose files the mailbox's are; nil for the user who runs the server.
	Owner *Owner
	// Mailbox is the path of the Maildir where the directory says it, and not the store's
	// template: relative to the store's root, or below it; "" when it does not.
	Mailbox string
	// Prefix takes the place of the store's template before its first name, for a directory that has
	// mailboxes in several places: absolute, ending in "/", and there already; "" for the template's own.
	Prefix string
	// Fields is what else the directory says of the account, for those who show it.
	Fields map[string]string
}

// A Quota bounds a mailbox; a zero bounds nothing.
type Quota struct {
	Bytes    int64 // octets on disk
	Messages int64
}

// An Owner is a user of the operating system.
type Owner struct{ UID, GID uint32 }

// ParseOwner understands the numbers of a user and of a group; nil for neither. One needs the other.
func ParseOwner(uid, gid string) (*Owner, error) {
	if uid == "" && gid == "" {
		return nil, nil
	}
	if uid == "" || gid == "" {
		return nil, fmt.Errorf("uid %q and gid %q: one is missing", uid, gid)
	}
	u, err := strconv.ParseUint(uid, 10, 32)
	if err != nil || u == math.MaxUint32 { // -1 says "leave it" to the kernel
		return nil, fmt.Errorf("uid %q is not the number of a user", uid)
	}
	g, err := strconv.ParseUint(gid, 10, 32)
	if err != nil || g == math.MaxUint32 {
		return nil, fmt.Errorf("gid %q is not the number of a group", gid)
	}
	return &Owner{UID: uint32(u), GID: uint32(g)}, nil
}

// CheckFormat says what is wrong with the format of a mailbox: "" and "maildir" are ours, and so is "maildir:",
// as Dovecot's mail_location begins. In any other its reader would not see a Maildir.
func CheckFormat(format string) error {
	if f := strings.TrimSuffix(strings.TrimSpace(format), ":"); f != "" && !strings.EqualFold(f, "maildir") {
		return fmt.Errorf("format is %q: only Maildir can be written", format)
	}
	return nil
}

// Check cleans the paths of an account, in which programs write "//" and a slash at the end, and says what
// of it makes no sense: records are written by programs and by hand. The error is that of Broken.
func (a *Account) Check() error {
	for _, p := range []*string{&a.Home, &a.Mailbox} {
		if *p != "" && isSafePath(*p) {
			*p = path.Clean(*p)
		}
	}
	switch {
	case a.Key.Local == "" || a.Key.Domain == "":
		return Broken(a.Address, "has no address")
	case a.Quota.Bytes < 0 || a.Quota.Messages < 0:
		return Broken(a.Address, "quota is negative")
	case a.Disabled != "" && a.Disabled != "defer" && a.Disabled != "reject" && a.Disabled != "unknown":
		return Broken(a.Address, "disabled is %q, not defer, reject or unknown", a.Disabled)
	case a.Prefix != "" && !(path.IsAbs(a.Prefix) && strings.HasSuffix(a.Prefix, "/") && isSafePath(a.Prefix)):
		return Broken(a.Address, "prefix %q is not an absolute path that ends in /", a.Prefix)
	}
	if a.Home != "" && !(path.IsAbs(a.Home) && isSafePath(a.Home)) {
		return Broken(a.Address, "home %q is not an absolute path", a.Home)
	}
	if !isSafePath(a.Mailbox) {
		return Broken(a.Address, "mailbox %q leads elsewhere", a.Mailbox)
	}
	return nil
}

// isSafePath reports whether a path has no NUL and no "..".
func isSafePath(p string) bool {
	if strings.IndexByte(p, 0) >= 0 {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}
