// Package corpus makes messages such as the world sends: well-formed ones of every kind, and
// those that trip up software on the way. They are the same in every run.
package corpus

import (
	"fmt"
	"strings"
)

// A Message is one message. No two have the same content.
type Message struct {
	Name    string
	Content string // LF line ends; the last one may be missing
}

// Stored is the content as a store with LF line ends keeps it: the end of its last line, which
// SMTP cannot leave out (RFC 5321 §4.1.1.4), is there.
func (m Message) Stored() string {
	if m.Content == "" || strings.HasSuffix(m.Content, "\n") {
		return m.Content
	}
	return m.Content + "\n"
}

// Messages returns the whole corpus. It passes every MTA unchanged: a header that begins with a
// field, and no space before a colon; no Return-Path field and no mbox separator at the top,
// which are the MTA's own; no line over 998 octets, no CR within a line.
func Messages() []Message {
	var list []Message
	for _, group := range [][]Message{shapes(), headers(), dots(), bodies(), parts(), giants()} {
		list = append(list, group...)
	}
	return list
}

// letter puts an ordinary header before a body.
func letter(name, body string) Message {
	return Message{Name: name, Content: header(name) + "\n" + body}
}

// headed puts further fields into an ordinary header.
func headed(name, fields string) Message {
	return Message{Name: name, Content: header(name) + fields + "\nIt is all in the header.\n"}
}

func header(name string) string {
	id := strings.ReplaceAll(name, " ", "-")
	return fmt.Sprintf("From: Sender <sender@src.example>\nTo: Somebody <somebody@dst.example>\nSubject: %s\n"+
		"Date: Mon, 02 Nov 2026 09:10:11 +0100\nMessage-ID: <%s@src.example>\nMIME-Version: 1.0\n", name, id)
}
