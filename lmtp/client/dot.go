package client

import (
	"bufio"
	"bytes"
)

// A dotWriter sends content as DATA wants it: every LF that has no CR before it becomes CRLF,
// a line that begins with a dot gets another (RFC 5321 §4.5.2), and Close ends the last line
// and the data. A CR that no LF follows is the caller's and passes as it is.
type dotWriter struct {
	w      *bufio.Writer
	octets int64 // content as sent, without the added dots
	last   byte  // the last octet written, 0 at the beginning
}

// Write takes the next piece of content.
func (d *dotWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		if err := d.writePiece(line); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[len(line):]
	}
	return len(p), nil
}

// writePiece writes a line, or what there is of it.
func (d *dotWriter) writePiece(p []byte) error {
	if p[0] == '.' && (d.last == '\n' || d.octets == 0) {
		if err := d.w.WriteByte('.'); err != nil {
			return err
		}
	}
	text, ended := bytes.CutSuffix(p, []byte{'\n'})
	if len(text) > 0 {
		d.last = text[len(text)-1]
		d.octets += int64(len(text))
		if _, err := d.w.Write(text); err != nil {
			return err
		}
	}
	if ended {
		return d.endLine()
	}
	return nil
}

// endLine writes the line end, of which the CR may be there already.
func (d *dotWriter) endLine() error {
	end := "\r\n"
	if d.last == '\r' {
		end = "\n"
	}
	d.last = '\n'
	d.octets += int64(len(end))
	_, err := d.w.WriteString(end)
	return err
}

// Close ends the last line where the content did not, and the data, and flushes.
func (d *dotWriter) Close() error {
	if d.octets > 0 && d.last != '\n' {
		// A CR at the very end is content, not half a line end: it gets a whole one.
		d.last = 0
		if err := d.endLine(); err != nil {
			return err
		}
	}
	if _, err := d.w.WriteString(".\r\n"); err != nil {
		return err
	}
	return d.w.Flush()
}
