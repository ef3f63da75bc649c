package svtest

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/doorstep-mail/doorstep/delivery/sieve/reply"
)

// configure sets a setting of Pigeonhole, by its name there.
func (s *suite) configure(r *sieve.Run, args []string) {
	s.settings[args[0]] = args[1]
	if item, ok := strings.CutPrefix(args[0], "sieve_environment/"); ok {
		s.store.items["vnd.dovecot.config."+item] = args[1]
	}
	s.apply(r)
}

// apply makes the settings those of the message that is filtered.
func (s *suite) apply(r *sieve.Run) {
	in := r.Input()
	r.Limit(s.limits())
	in.Delimiters = s.settings["recipient_delimiter"]
	in.Spam, in.Virus = s.verdict("spamtest", 10), s.verdict("virustest", 5)
}

// limits are those that are set.
func (s *suite) limits() (l sieve.Limits) {
	for name, limit := range map[string]*int{
		"sieve_max_actions":                  &l.Actions,
		"sieve_max_redirects":                &l.Redirects,
		"sieve_notify_max_notifications":     &l.Notifications,
		"sieve_variables_max_value_size":     &l.VariableSize,
		"sieve_variables_max_variable_size":  &l.VariableSize,
		"sieve_editheader_max_header_size":   &l.FieldSize,
		"sieve_include_max_includes":         &l.Includes,
		"sieve_include_max_nesting_depth":    &l.IncludeDepth,
		"sieve_variables_max_variable_count": &l.Variables,
	} {
		text := s.settings[name]
		unit := 1
		if kilo, ok := strings.CutSuffix(text, "k"); ok {
			text, unit = kilo, 1024
		}
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
		case n > 0:
			*limit = n * unit
		case strings.HasPrefix(name, "sieve_max_actions"):
			*limit = math.MaxInt32 // there is none
		default:
			*limit = -1 // it is forbidden
		}
	}
	return l
}

// protected reports whether the settings forbid an edit of the header.
func (s *suite) protected(name string, add bool) bool {
	for listed := range strings.FieldsSeq(s.settings["sieve_editheader_header"]) {
		prefix := "sieve_editheader_header/" + listed
		if strings.EqualFold(s.settings[prefix+"/name"], name) {
			return !add && s.settings[prefix+"/forbid_delete"] == "yes" || add && s.settings[prefix+"/forbid_add"] == "yes"
		}
	}
	return false
}

// sender is the address that a setting names, or else another one.
func (s *suite) sender(setting string, in *sieve.Input, otherwise string) string {
	switch value := strings.TrimSpace(s.settings[setting]); value {
	case "sender":
		return in.Envelope.From
	case "recipient":
		return in.Envelope.To
	case "orig_recipient":
		return cmp.Or(in.Envelope.OrigTo, in.Envelope.To)
	case "user_email":
		return cmp.Or(s.settings["sieve_user_email"], in.Envelope.To)
	default:
		inner, explicit := strings.CutSuffix(strings.TrimPrefix(value, "<"), ">")
		if !explicit {
			return otherwise
		}
		return inner
	}
}

// redirectSender is who sends redirected mail: the null path stays (RFC 5228 §4.2).
func (s *suite) redirectSender(in *sieve.Input) string {
	if in.Envelope.From == "" {
		return ""
	}
	return s.sender("sieve_redirect_envelope_from", in, in.Envelope.From)
}

// replies are how vacation answers.
func (s *suite) replies() reply.Options {
	is := func(name string) bool { return s.settings["sieve_vacation_"+name] == "yes" }
	o := reply.Options{
		DefaultSubject:  s.settings["sieve_vacation_default_subject"],
		SubjectTemplate: s.settings["sieve_vacation_default_subject_template"],
		UseOriginal:     is("use_original_recipient"), FromRecipient: is("send_from_recipient"),
		IgnoreEnvelope: is("to_header_ignore_envelope"),
		AnyRecipient:   s.settings["sieve_vacation_check_recipient"] == "no",
	}
	if own := s.settings["sieve_user_email"]; own != "" {
		o.Own = []string{own}
	}
	return o
}

const postmaster = "postmaster@example.com"

// notifySender is who sends notifications.
func (s *suite) notifySender(in *sieve.Input, n *sieve.Notify) string {
	return s.sender("sieve_notify_mailto_envelope_from", in, cmp.Or(n.From, postmaster))
}

// duration reads a setting of time; a number is seconds.
func (s *suite) duration(name string) time.Duration {
	value := strings.TrimSpace(s.settings[name])
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(n) * time.Second
	}
	d, _ := time.ParseDuration(value) // 0 if it is none
	return d
}
