// Package directory finds accounts. It holds the Directory interface; each backend has a
// package of its own below it.
package directory

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound says that the directory answered and has no such account. Every other error
// means that the directory could not answer, which is temporary.
var ErrNotFound = errors.New("no such account")

// A Key names an account for comparison (address.DomainKey, address.LocalKey). Keys are
// never shown to a client nor written into a message.
type Key struct {
	Local  string
	Domain string // A-labels, lower case
}

// An Account is what a directory knows of one mailbox.
type Account struct {
	// Address is the canonical address as the administrator wrote it.
	Address string
	// Key is the key of Address: it names the mailbox, whichever alias led to it.
	Key Key
	// Home is the account's home directory, for store paths with {home}; "" when unknown.
	Home string
	// Disabled accounts refuse mail with Code 450 or 550 by configuration; "" means enabled,
	// "defer" 450 4.2.1, "reject" 550 5.2.1.
	Disabled string
	// ASCIIOnly accounts take no internationalized mail, because what reads them cannot show
	// it: a transaction with SMTPUTF8 is refused with 550 5.6.9 (RFC 6531 §3.5).
	ASCIIOnly bool
	// OwnerSince is when the mailbox came to its present owner, the zero Time when unknown
	// (RFC 7293).
	OwnerSince time.Time
	// Quota is what the mailbox may hold.
	Quota Quota
	// Owner is the user whose files the mailbox's are; nil for whoever runs the server.
	Owner *Owner
	// Mailbox is the path of the Maildir where the directory says it, and not the store's
	// template: relative to the store's root, or below it; "" when it does not.
	Mailbox string
}

// A Quota bounds a mailbox; a zero bounds nothing.
type Quota struct {
	Bytes    int64 // octets on disk
	Messages int64
}

// An Owner is a user of the operating system.
type Owner struct{ UID, GID uint32 }

// A Directory finds the account that a key names. Implementations are safe for concurrent use.
type Directory interface {
	// Lookup returns the account whose address or alias has this key. ErrNotFound when there
	// is none; any other error is temporary.
	Lookup(ctx context.Context, key Key) (*Account, error)
}

// String gives the key for logs and for people who ask.
func (k Key) String() string { return k.Local + "@" + k.Domain }
