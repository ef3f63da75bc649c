package lmtp

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("lmtp: server closed")

// A Server speaks LMTP or ESMTP to clients and hands their mail to Handler. Set the fields
// before the first call of Serve and leave them alone afterwards; zero values are useful, and
// stand for the value in brackets.
type Server struct {
	// Handler takes the mail. Required.
	Handler Handler
	// Protocol is LMTP or ESMTP. [LMTP]
	Protocol Protocol
	// Hostname is the name in the greeting and in trace fields: a domain, whose U-labels become A-labels. Serve fails
	// if it is none. [the machine's name; localhost if that is no domain]
	Hostname string

	Limits     Limits     // sizes, counts and rates
	Timeouts   Timeouts   // how long clients and deliveries may take
	Syntax     Syntax     // how strictly content and addresses are read
	Extensions Extensions // those that need a Handler for it
	TLS        TLS        // certificates, and when TLS begins
	Auth       Auth       // AUTH, and whether mail needs it
	Peers      Peers      // what is known of clients, and which are served

	// Hooks are called with what sessions do. [none]
	Hooks Hooks
	// Log has what an operator must know of sessions. [discarded]
	Log *slog.Logger

	once    sync.Once
	invalid error // what is wrong with Hostname
	running registry
}

// init fills in the defaults.
func (s *Server) init() {
	s.once.Do(func() {
		s.Hostname, s.invalid = wireHostname(s.Hostname)
		s.Limits.setDefaults()
		s.Timeouts.setDefaults()
		s.Auth.Delay = orDefault(s.Auth.Delay, time.Second)
		if s.Log == nil {
			s.Log = slog.New(slog.DiscardHandler)
		}
		s.running.init()
	})
}

// wireHostname returns the name that clients see (RFC 6531 §3.7.1): what is configured, or else the machine's.
func wireHostname(configured string) (string, error) {
	if configured != "" {
		name, err := address.WireDomain(configured)
		if err != nil {
			return "localhost", fmt.Errorf("lmtp: Hostname %q: %w", configured, err)
		}
		return name, nil
	}
	machine, err := os.Hostname()
	if err == nil {
		machine, err = address.WireDomain(machine)
	}
	if err != nil {
		return "localhost", nil // a machine may have any name, and is no mistake of the caller's
	}
	return machine, nil
}
