package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"

	"golang.org/x/sync/semaphore"
)

const (
	// maxLine bounds the answer to a question.
	maxLine = 64 << 10
	// dying is how long a getent that was killed may keep its output open.
	dying = time.Second
	// notFound is how getent exits when there is no such account.
	notFound = 2
)

// getent asks by the program of that name.
type getent struct {
	program string
	turns   *semaphore.Weighted // bounds the processes
}

func (g getent) find(ctx context.Context, name string) (string, error) {
	if err := g.turns.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("wait to ask getent for %q: %w", name, err)
	}
	defer g.turns.Release(1)
	var out, complaints bounded
	cmd := exec.CommandContext(ctx, g.program, "passwd", "--", name)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &complaints, dying
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("ask getent for %q: %w", name, ctx.Err())
	case errors.As(err, &exit) && exit.ExitCode() == notFound:
		return "", directory.ErrNotFound
	case err != nil:
		return "", fmt.Errorf("ask getent for %q: %w: %s", name, err, strings.TrimSpace(complaints.String()))
	}
	// It takes a number for a uid, and a service may ignore case: the name is what counts.
	line, _, ended := strings.Cut(out.String(), "\n")
	if !ended {
		return "", fmt.Errorf("ask getent for %q: the answer %.80q has no end", name, line)
	}
	if found, _, _ := strings.Cut(line, ":"); found != name {
		return "", directory.ErrNotFound
	}
	return line, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxLine-b.Len())])
	return len(p), nil
}
