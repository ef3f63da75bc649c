// Package delivery delivers one message: it takes the content once, delivers a copy with trace fields of its own to
// each mailbox, and answers for each recipient.
//
// An Agent is the lmtp.Handler of the program. For each recipient it asks package route for a decision, which is the
// reply to RCPT and the actions for the mailboxes of the address (agent.go). The content passes through package
// head into the store; when its header is known the actions become copies (copies.go), and Commit delivers them. It
// reports outcomes in the order of RCPT, each as soon as it and those before it are known (outcome.go).
package delivery
