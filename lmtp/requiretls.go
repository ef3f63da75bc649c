package lmtp

// offersRequireTLS: only under TLS (RFC 8689 §2).
func (o offer) offersRequireTLS() bool { return o.session.TLS != nil }

// mailRequireTLS takes the mark of a message that must not travel without TLS (RFC 8689 §4).
// It has come by TLS, and goes no further.
func (o offer) mailRequireTLS(env *Envelope, p parameter) Reply {
	if p.hasValue {
		return badArgument("REQUIRETLS takes no value")
	}
	env.RequireTLS = true
	return Reply{}
}
