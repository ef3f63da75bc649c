package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// safe keeps browsers from doing with an answer what it is not for.
func (s *Server) safe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// A foreign page can give its own name the address 127.0.0.1, and then read what
		// is there as its own (DNS rebinding): without a token the name must be one of this machine.
		if s.Token == "" && !s.Local && !isLoopback(r.Host) {
			say(w, http.StatusMisdirectedRequest, "ask by a loopback address, not as "+safeHost(r.Host))
			return
		}
		// net/http would recover a panic too, and say nothing of it in the log.
		if !guard.Run(s.Log, "admin request", func() { next.ServeHTTP(w, r) }) {
			panic(http.ErrAbortHandler) // an answer that has begun must not look whole
		}
	})
}

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

// safeHost is a Host header made fit for an answer.
func safeHost(host string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return '?'
	}, host[:min(len(host), 100)])
}

// guarded answers only to those who show the token.
func (s *Server) guarded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token != "" && !s.shown(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="doorstep, any user with the token as password", charset="UTF-8"`)
			say(w, http.StatusUnauthorized, "show the token")
			return
		}
		next(w, r)
	})
}

// shown reports whether a request shows the token: as RFC 6750 §2.1 has it, or, for browsers, as
// a password (RFC 7617).
func (s *Server) shown(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		_, token, ok = r.BasicAuth()
	}
	// Of equal length, so that the time it takes says nothing.
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.Token))
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
