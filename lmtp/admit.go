package lmtp

import (
	"log/slog"
	"net"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// admit asks Peers.Admit about a client. A panic in it, or in the function that it returns, costs this connection
// only.
func (s *Server) admit(client net.Conn, log *slog.Logger) (release func(), err error) {
	var admitted func()
	err = guard.Call(func() (err error) {
		admitted, err = s.Peers.Admit(client)
		return err
	})
	return func() {
		if admitted != nil {
			guard.Run(log, "listener", admitted)
		}
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
