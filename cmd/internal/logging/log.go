// Package logging writes the log: for people, programs and the journal, and never in the way of mail.
package logging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A Output is where lines of the log go: one Write is one line. A line that cannot be written is
// counted and forgotten, because mail is worth more.
type Output struct {
	W       io.Writer
	Json    bool
	journal bool // w is the journal, which keeps the time itself and wants a priority before each line
	Lost    atomic.Int64
	Panics  atomic.Int64 // that were logged
	queue   *queue       // nil where who logs waits for w
}

// NewOutput looks whether w is the journal.
func NewOutput(w io.Writer, format config.LogFormat) *Output {
	return &Output{W: w, Json: format == config.LogJSON, journal: isJournal(w, os.Getenv("JOURNAL_STREAM"))}
}

// Detach has no one who logs wait any more for a reader that stalls. found is called with how many lines were
// lost when one can be written again. Lines that wait are written by end.
func (o *Output) Detach(found func(lines int)) {
	o.queue = newQueue(o.W, func() { o.Lost.Add(1) }, found)
	o.W = o.queue
}

// lastLines is how long the end of the program is put off for lines that wait for their reader.
const lastLines = 2 * time.Second

// End takes no more lines, and waits up to two seconds until those that were taken are written.
func (o *Output) End() {
	if o.queue != nil {
		o.queue.end(lastLines)
	}
}

// isJournal reports whether w is the stream that systemd says is the journal (systemd.exec(5),
// $JOURNAL_STREAM): the device and inode of the socket that it connected standard error to. A
// program that was started with another standard error still has the variable.
func isJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && fmt.Sprintf("%d:%d", stat.Dev, stat.Ino) == stream
}

// options are those of a handler that writes here.
func (o *Output) options(level slog.Leveler) *slog.HandlerOptions {
	return &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if o.journal && len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return readableAttr(a)
	}}
}

// readableAttr escapes in a value what address.Readable does. Addresses, and octets of clients, have been escaped where
// they were logged; here are names from databases, and errors that quote them.
func readableAttr(a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(address.ReadableLines(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(address.ReadableLines(err.Error()))
		}
	}
	return a
}

// Write writes a line. It never fails, and says nothing to the caller.
func (o *Output) Write(line []byte) (int, error) {
	out := line
	if o.Json {
		out = escapeJSON(out)
	}
	if o.journal {
		out = append([]byte(priority(line)), out...)
	}
	if _, err := o.W.Write(out); err != nil {
		o.Lost.Add(1)
	}
	return len(line), nil
}

// priorities are syslog's (sd-daemon(3)), by how a line of ours begins. Nothing that a client says
// can stand there.
var priorities = []struct{ begins, priority string }{
	{`level=DEBUG`, "<7>"}, {`level=INFO`, "<6>"}, {`level=WARN`, "<4>"}, {`level=ERROR`, "<3>"},
	{`{"level":"DEBUG"`, "<7>"}, {`{"level":"INFO"`, "<6>"}, {`{"level":"WARN"`, "<4>"}, {`{"level":"ERROR"`, "<3>"},
}

func priority(line []byte) string {
	for _, p := range priorities {
		if bytes.HasPrefix(line, []byte(p.begins)) {
			return p.priority
		}
	}
	return "<6>"
}

// escapeJSON escapes what slog leaves alone in JSON and a terminal does not: DEL, C1 controls, and
// marks that turn or hide text (CVE-2021-42574), where a value is neither a text nor an error.
func escapeJSON(line []byte) []byte {
	if !bytes.ContainsFunc(line[:max(len(line)-1, 0)], isUnsafe) {
		return line
	}
	var b bytes.Buffer
	for len(line) > 0 {
		r, n := utf8.DecodeRune(line)
		switch {
		case r == '\n' || !isUnsafe(r):
			b.Write(line[:n])
		case r > 0xffff: // as a pair
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		line = line[n:]
	}
	return b.Bytes()
}

// isUnsafe: U+FFFD stands there for octets that were no UTF-8, and does no harm.
func isUnsafe(r rune) bool { return r != utf8.RuneError && !address.IsShown(r) }

// New makes a log whose level may change while it is used.
func New(c config.Log, level slog.Leveler, output *Output) *slog.Logger {
	var handler slog.Handler = slog.NewTextHandler(output, output.options(level))
	if c.Format == config.LogJSON {
		handler = slog.NewJSONHandler(output, output.options(level))
	}
	return slog.New(guard.NewHandler(handler, func(slog.Record) { output.Panics.Add(1) }))
}
