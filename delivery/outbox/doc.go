// Package outbox keeps mail of our own until an MTA has taken it. It is a directory like a Maildir: what is staged is a
// file in tmp/, durable and not to be sent yet; what is to be sent has been moved to new/. It holds facts, and the
// message is made from them when it is sent, as its form depends on what the server offers.
//
// Nothing in it is the only copy of a user's message: it is bounded in number, octets and age, and when it fills the
// server stops offering what would fill it (Offers).
//
// Several processes may use one directory, as during an upgrade, and several machines: a file is sent by who holds a
// lock on it, and only by the machine in its name.
package outbox
