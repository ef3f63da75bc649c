package client

import (
	"errors"
	"slices"
)

// A Result has the answers of the server to one message.
type Result struct {
	Mail       Reply     // to MAIL
	Data       Reply     // to DATA: 354, or why not; the zero Reply where DATA was not sent
	Octets     int64     // of content sent, with CRLF line ends, without the dots of transparency
	Recipients []Outcome // one for each of Message.To, in that order
}

// An Outcome has the answers of the server for one recipient.
type Outcome struct {
	To string

	// Rcpt is the reply to RCPT.
	Rcpt Reply

	// Final is the reply that decided: after the data where the recipient was accepted, else
	// the refusal of RCPT, MAIL or DATA. The zero Reply if the server sent none.
	Final Reply

	// Err is why there is no Final. The server may or may not have delivered: like a
	// temporary refusal, it calls for another try (RFC 5321 §4.2.5, RFC 2033 §5).
	Err error

	// Uncertain is set with an Err after the end of the content was sent: the server may have the message, and another
	// try then makes two of it (RFC 1047).
	Uncertain bool
}

// errAllOrNone is what becomes of recipients who were accepted, if another one of an AllOrNone was not.
var errAllOrNone = errors.New("not sent, as another recipient was refused for now")

// Delivered reports whether the server took responsibility for the recipient.
func (o Outcome) Delivered() bool { return o.Final.Positive() }

// Temporary reports whether another try may help: refused for now, or not answered at all.
func (o Outcome) Temporary() bool { return o.Err != nil || o.Final.Temporary() }

// decided reports whether the final reply is there.
func (o *Outcome) decided() bool { return o.Final.Code != 0 }

// accepted are the indices of the recipients that wait for an answer after the data.
func (r *Result) accepted() []int {
	var waiting []int
	for i, o := range r.Recipients {
		if o.Rcpt.Positive() && !o.decided() {
			waiting = append(waiting, i)
		}
	}
	return waiting
}

// decide sets the final reply of several recipients.
func (r *Result) decide(recipients []int, final Reply) {
	for _, i := range recipients {
		r.Recipients[i].Final = final
	}
}

// spare reports whether a recipient was refused for now. Then no recipient gets the message.
func (r *Result) spare() bool {
	if !slices.ContainsFunc(r.Recipients, func(o Outcome) bool { return o.Final.Temporary() }) {
		return false
	}
	for _, i := range r.accepted() {
		r.Recipients[i].Err = errAllOrNone
	}
	return true
}

// abandon sets the error of each recipient that has no final reply. ended says that the content may have been taken.
func (r *Result) abandon(err error, ended bool) {
	for i := range r.Recipients {
		if o := &r.Recipients[i]; !o.decided() {
			o.Err, o.Uncertain = err, ended
		}
	}
}
