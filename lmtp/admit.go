package lmtp

import (
	"net"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// admit asks Server.Admit about a client. A panic in it, or in what it gives to be called at
// the end, costs this connection only.
func (c *conn) admit(client net.Conn) (release func(), err error) {
	var given func()
	err = guard.Call(func() (err error) {
		given, err = c.server.Admit(client)
		return err
	})
	return func() {
		if given == nil {
			return
		}
		guard.Run(c.log, "listener", given)
	}, err
}

// greetingOf makes a greeting of a refusal: 421 and 554 are the only ones there are
// (RFC 5321 §3.1, §4.3.2).
func greetingOf(r Reply) Reply {
	if r.Code < 500 {
		r.Code = 421
	} else {
		r.Code = 554
	}
	return r
}
