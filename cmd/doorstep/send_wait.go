package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// betweenTries is the pause after a connection that was refused. A server is ready within a few of them.
const betweenTries = 50 * time.Millisecond

// dial opens the session. A shell that starts a server in the background runs the next line before the server
// listens, so a server that is not there yet is waited for, and stderr says so.
func (r *sendRequest) dial(ctx context.Context, options client.Options, stderr io.Writer) (*client.Client, error) {
	end := time.Now().Add(r.wait)
	for said := false; ; said = true {
		c, err := client.Dial(ctx, r.server, options)
		if !isAbsent(err) || time.Until(end) <= 0 {
			return c, err
		}
		if !said {
			fmt.Fprintf(stderr, "waiting up to %v for a server (--wait): %s\n", r.wait, address.Readable(err.Error()))
		}
		select {
		case <-time.After(betweenTries):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// isAbsent reports that nothing listens at an address: a port that refuses connections, a socket that is
// missing, or one that an earlier server has left.
func isAbsent(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
