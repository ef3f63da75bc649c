package main

import (
	"fmt"
	"net"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// A gate decides who may connect: at most so many over all listeners, and on a Unix socket
// with peers only those users. It answers with temporary refusals: a mistake in the
// configuration must not bounce mail.
type gate struct {
	limit int64
	open  atomic.Int64
}

// admit is the gate for one listener.
func (g *gate) admit(l config.Listen) (func(net.Conn) (func(), error), error) {
	var uids []int
	for _, name := range l.Peers {
		uid, err := config.UserID(name)
		if err != nil {
			return nil, fmt.Errorf("peers of %s: %w", l.Address, err)
		}
		uids = append(uids, uid)
	}
	return func(nc net.Conn) (func(), error) {
		if l.Peers != nil {
			if err := checkPeer(nc, uids); err != nil {
				return nil, err
			}
		}
		return g.enter()
	}, nil
}

// enter counts a connection in.
func (g *gate) enter() (leave func(), err error) {
	if g.open.Add(1) > g.limit {
		g.open.Add(-1)
		return nil, &lmtp.Error{Code: 421, Enhanced: "4.3.2", Text: "too many connections, try again later"}
	}
	return func() { g.open.Add(-1) }, nil
}

// checkPeer asks the kernel who is at the other end; what it says cannot be forged (unix(7),
// SO_PEERCRED).
func checkPeer(nc net.Conn, uids []int) error {
	refused := &lmtp.Error{Code: 421, Enhanced: "4.7.0", Text: "you may not connect here"}
	uc, ok := nc.(*net.UnixConn)
	if !ok {
		return refused
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		refused.Cause = err
		return refused
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		refused.Cause = err
		return refused
	}
	if credErr != nil {
		refused.Cause = fmt.Errorf("ask for the peer's user: %w", credErr)
		return refused
	}
	if !slices.Contains(uids, int(cred.Uid)) {
		refused.Cause = fmt.Errorf("user %d is not among the peers", cred.Uid)
		return refused
	}
	return nil
}
