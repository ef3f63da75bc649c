package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// submissionQuestion asks the server that takes mail of our own for a session, as for a report, and hands nothing over.
// What is wrong with it is a warning: mail is taken without it, and DSN is not offered while reports cannot be sent.
func submissionQuestion(c *config.Config) *question {
	s := c.Submission
	if !s.IsOn() {
		return nil
	}
	return &question{Answer: Answer{Key: "submission.server", Name: "submission server " + s.Target()},
		ask: func(ctx context.Context, q *question) {
			sender, err := build.Sender(c)
			if err != nil {
				q.blame(c, "submission.ca", err.Error(), "it names a file of certificates in PEM").Warning = true
				return
			}
			offers, err := sender.Server.Offers(ctx)
			if err != nil {
				key, hint := submissionCulprit(s, err)
				q.blame(c, key, err.Error(), hint).Warning = true
				return
			}
			q.Text = "takes mail, and offers " + offered(offers)
			for _, missing := range missingOffers(c, offers) {
				q.blame(c, q.Key, missing[0], missing[1]).Warning = true
			}
		}}
}

// offered lists what matters of what a server offers.
func offered(offers client.Extensions) string {
	var list []string
	for _, keyword := range []string{"SMTPUTF8", "8BITMIME", "DSN", "SIZE"} {
		if offers.Has(keyword) {
			list = append(list, strings.TrimSpace(keyword+" "+offers.Param(keyword)))
		}
	}
	if len(list) == 0 {
		return "no extension that matters"
	}
	return strings.Join(list, ", ")
}

// missingOffers says what cannot be done for want of an offer, and what can be done about it.
func missingOffers(c *config.Config, offers client.Extensions) (list [][2]string) {
	if !offers.Has("SMTPUTF8") {
		text := "it does not offer SMTPUTF8: a sender with an internationalized address gets no report"
		if hasInternational(c) {
			text += ", and there are such accounts here"
		}
		list = append(list, [2]string{text, "smtputf8_enable = yes in Postfix, smtputf8_advertise_hosts in Exim"})
	} else if !offers.Has("8BITMIME") { // RFC 6531 §3.1
		list = append(list, [2]string{"it offers SMTPUTF8 without 8BITMIME, which the standard demands: a sender with an " +
			"internationalized address gets no report", ""})
	}
	if !offers.Has("DSN") {
		list = append(list, [2]string{"it does not offer DSN: reports go without NOTIFY=NEVER",
			"in Postfix smtpd_discard_ehlo_keywords may take it away; dsn_advertise_hosts in Exim"})
	}
	// No number, or 0, says that there is no fixed limit (RFC 1870 §3).
	if most, err := strconv.ParseInt(offers.Param("SIZE"), 10, 64); err == nil && most > 0 && most < c.Limits.MessageSize {
		list = append(list, [2]string{fmt.Sprintf("it takes messages of %d octets, and limits.message_size is %d", most,
			c.Limits.MessageSize), "message_size_limit in Postfix; reports, which are small, are taken all the same"})
	}
	return list
}

// hasInternational reports whether an account of the configuration has an internationalized local part.
func hasInternational(c *config.Config) bool {
	for _, u := range c.Users {
		for _, a := range append(u.Aliases, u.Address) {
			if _, ascii := a.Header(false); !ascii {
				return true
			}
		}
	}
	return false
}

// submissionCulprit returns the key of [submission] that may be why there was no session, and what can be done.
func submissionCulprit(s config.Submission, err error) (key, hint string) {
	var refused *client.ReplyError
	var path *fs.PathError
	errors.As(err, &refused)
	switch {
	case errors.As(err, &path) && path.Path == s.PasswordFile:
		return "submission.password_file", "the user who runs the server must be able to read it"
	case errors.Is(err, client.ErrNoMechanism):
		return "submission.user", "it offers no mechanism that may be used: PLAIN goes over TLS and Unix sockets only"
	case refused != nil && strings.HasPrefix(refused.Command, "AUTH"):
		return "submission.user", "are user, and the password in password_file, right?"
	case errors.Is(err, client.ErrNotOffered), isTLS(err):
		return tlsKey(s), "ca names the authority of the server's certificate, which must be for the host in server"
	case errors.Is(err, syscall.EACCES):
		return "submission.server", "the socket's owner, group and mode, and those of its directory, say who may connect: " +
			"SupplementaryGroups=postdrop in the unit, for Postfix"
	case refused != nil:
		return "submission.server", "it is there, and takes no mail from here: its log says why"
	}
	return "submission.server", "is it running there, and does it listen?"
}

// tlsKey is the key that is probably wrong about TLS.
func tlsKey(s config.Submission) string {
	if s.CA != "" {
		return "submission.ca"
	}
	return "submission.tls"
}
