// Package delivery decides what becomes of one message: who its recipients are, where their
// mailboxes lie, which trace fields each copy gets, and which reply each recipient.
//
// An Agent is the lmtp.Handler of the program. For each transaction it resolves forward-paths
// to accounts (resolve.go), refuses at RCPT what can be refused then, and hands the content to
// package mailbox once for each distinct mailbox, with the trace fields of that copy
// (trace.go) before it. It reports outcomes in the order of RCPT, each as soon as it and
// those before it are known (outcome.go).
//
// Errors are decided in one place, status.go: what is not known to be permanent is temporary.
package delivery
