package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
)

// maxLoadContent bounds the message of a load, which is kept in memory.
const maxLoadContent = 256 << 20

// sendMany sends the load and prints what was measured.
func (r *sendRequest) sendMany(ctx context.Context, content io.ReadSeeker, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	m, err := r.message(content)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(content, maxLoadContent+1))
	switch {
	case err != nil:
		return cli.Failed(fmt.Errorf("read the message: %w", err), "")
	case len(text) > maxLoadContent:
		return cli.Usage(errors.New("send: the message of a load may have 256 MiB"), "send it once, without --count")
	}
	options, err := r.clientOptions(stderr)
	if err != nil {
		return err
	}
	first, err := r.dial(ctx, options, stderr) // one error rather than as many as messages
	if err != nil {
		return cli.Failed(err, dialHint(err))
	}
	return r.load.Run(ctx, loadtest.Target{Server: r.server, Options: options, First: first, Message: m, Content: text},
		stdout, stderr)
}
