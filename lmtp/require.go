package lmtp

// needs is a set of what a listener may require of a session before it takes mail.
type needs uint

const (
	needTLS         needs = 1 << iota // RFC 3207 §4
	needCertificate                   // RFC 3207 §4.1
	needAuth                          // RFC 4954 §6

	needNothing = needTLS | needCertificate | needAuth // for commands that may come before all of them
)

// The replies to what comes too early. A client that shows no certificate cannot mend that in
// this session, so it is refused for good.
var (
	replyNeedsTLS         = Reply{Code: 530, Enhanced: "5.7.0", Text: "say STARTTLS first"}
	replyNeedsCertificate = Reply{Code: 554, Enhanced: "5.7.0", Text: "no client certificate that is accepted here"}
	replyNeedsAuth        = Reply{Code: 530, Enhanced: "5.7.0", Text: "authentication required"}
)

// lacks is the answer to a command that may come before the given needs only, in a session that
// does not meet another; the zero Reply where it meets them all.
func (o offer) lacks(before needs) Reply {
	s := o.session
	switch {
	case o.server.TLS.Required && s.TLS == nil && before&needTLS == 0:
		return replyNeedsTLS
	case o.server.TLS.RequireCertificate && s.TLS != nil && len(s.TLS.VerifiedChains) == 0 && before&needCertificate == 0:
		return replyNeedsCertificate
	case o.server.Auth.Required && s.Identity == "" && before&needAuth == 0:
		return replyNeedsAuth
	}
	return Reply{}
}
