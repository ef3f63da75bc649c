package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An IMAP is a connection to an IMAP server: as much of RFC 9051 as reading mail back takes.
type IMAP struct {
	conn net.Conn
	in   *bufio.Reader
	tag  int
}

// maxLiteral bounds what one message may be.
const maxLiteral = 256 << 20

// DialIMAP connects and logs in.
func DialIMAP(addr, user, password string) (*IMAP, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &IMAP{conn: conn, in: bufio.NewReader(conn)}
	greeting, _, err := c.response()
	if err == nil && !strings.HasPrefix(greeting, "* OK") {
		err = fmt.Errorf("imap greeting %q", greeting)
	}
	if err == nil {
		// Literals take any user name (LITERAL+, RFC 7888).
		err = c.do(fmt.Sprintf("LOGIN {%d+}\r\n%s {%d+}\r\n%s", len(user), user, len(password), password), nil)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// Examine opens a mailbox for reading and returns the number of its messages.
func (c *IMAP) Examine(mailbox string) (exists int, err error) { return c.open("EXAMINE", mailbox) }

// Select opens a mailbox for changes and returns the number of its messages.
func (c *IMAP) Select(mailbox string) (exists int, err error) { return c.open("SELECT", mailbox) }

func (c *IMAP) open(verb, mailbox string) (exists int, err error) {
	err = c.do(verb+" "+quoted(mailbox), func(line string, _ []byte) error {
		if n, ok := strings.CutSuffix(line, " EXISTS"); ok {
			exists, err = strconv.Atoi(strings.TrimPrefix(n, "* "))
		}
		return err
	})
	return exists, err
}

// Create makes a mailbox; its name is in modified UTF-7 (RFC 3501 §5.1.3).
func (c *IMAP) Create(mailbox string) error {
	err := c.do("CREATE "+quoted(mailbox), nil)
	return err
}

// Delete removes a mailbox.
func (c *IMAP) Delete(mailbox string) error {
	err := c.do("DELETE "+quoted(mailbox), nil)
	return err
}

// Subscribe adds a mailbox to those that clients show.
func (c *IMAP) Subscribe(mailbox string) error {
	err := c.do("SUBSCRIBE "+quoted(mailbox), nil)
	return err
}

// Unsubscribe takes a mailbox from those that clients show.
func (c *IMAP) Unsubscribe(mailbox string) error {
	err := c.do("UNSUBSCRIBE "+quoted(mailbox), nil)
	return err
}

// Mailboxes returns the names of all mailboxes that can be opened, sorted.
func (c *IMAP) Mailboxes() (names []string, err error) { return c.list("LIST") }

// Subscriptions returns the names of the mailboxes that clients show, sorted.
func (c *IMAP) Subscriptions() (names []string, err error) { return c.list("LSUB") }

// list returns the names that LIST or LSUB reports, but for those that only have others below them.
func (c *IMAP) list(verb string) (names []string, err error) {
	err = c.do(verb+` "" *`, func(line string, literal []byte) error {
		m := listed.FindStringSubmatch(line)
		if m == nil || m[1] != verb || strings.Contains(strings.ToLower(m[2]), `\noselect`) {
			return nil
		}
		name := string(literal)
		if literal == nil {
			name = unquoted(m[3])
		}
		names = append(names, name)
		return nil
	})
	slices.Sort(names)
	return names, err
}

var listed = regexp.MustCompile(`^\* (LIST|LSUB) \(([^)]*)\) "." (.*)`)

// unquoted is the text of a quoted string (RFC 9051 §4.3), or an atom as it stands.
func unquoted(s string) string {
	if len(s) < 2 || s[0] != '"' {
		return s
	}
	return regexp.MustCompile(`\\(.)`).ReplaceAllString(s[1:len(s)-1], "$1")
}

var sizeItem = regexp.MustCompile(`RFC822\.SIZE ([0-9]+)`)

// Fetch returns one message of the opened mailbox, counted from 1, with its size as the server
// claims it.
func (c *IMAP) Fetch(n int) (size int, content []byte, err error) {
	size = -1
	err = c.do(fmt.Sprintf("FETCH %d (RFC822.SIZE BODY.PEEK[])", n), func(line string, literal []byte) error {
		if m := sizeItem.FindStringSubmatch(line); m != nil && strings.HasPrefix(line, fmt.Sprintf("* %d FETCH ", n)) {
			content = literal
			size, err = strconv.Atoi(m[1])
		}
		return err
	})
	if err == nil && size < 0 {
		err = fmt.Errorf("message %d was not fetched", n)
	}
	return size, content, err
}

// Size is the size of one message of the opened mailbox, as the server claims it.
func (c *IMAP) Size(n int) (size int, err error) {
	size = -1
	err = c.do(fmt.Sprintf("FETCH %d (RFC822.SIZE)", n), func(line string, _ []byte) error {
		if m := sizeItem.FindStringSubmatch(line); m != nil {
			size, err = strconv.Atoi(m[1])
		}
		return err
	})
	return size, err
}

// Append puts a message into a mailbox.
func (c *IMAP) Append(mailbox, content string) error {
	err := c.do(fmt.Sprintf("APPEND %s {%d+}\r\n%s", quoted(mailbox), len(content), content), nil)
	return err
}

// Remove removes a message of the selected mailbox, counted from 1, for good.
func (c *IMAP) Remove(n int) error {
	if err := c.do(fmt.Sprintf("STORE %d +FLAGS.SILENT (\\Deleted)", n), nil); err != nil {
		return err
	}
	err := c.do("EXPUNGE", nil)
	return err
}

// Move moves a message of the selected mailbox, counted from 1, into another one (RFC 6851).
func (c *IMAP) Move(n int, mailbox string) error {
	err := c.do(fmt.Sprintf("MOVE %d %s", n, quoted(mailbox)), nil)
	return err
}

var quotaItems = regexp.MustCompile(`STORAGE ([0-9]+) [0-9]+ MESSAGE ([0-9]+) [0-9]+`)

// Quota returns what the server says is used of its quota, in units of 1024 octets and in messages
// (RFC 9208).
func (c *IMAP) Quota() (kib, messages int64, err error) {
	kib = -1
	err = c.do("GETQUOTAROOT INBOX", func(line string, _ []byte) error {
		if m := quotaItems.FindStringSubmatch(line); m != nil {
			kib, _ = strconv.ParseInt(m[1], 10, 64) // digits
			messages, err = strconv.ParseInt(m[2], 10, 64)
		}
		return err
	})
	if err == nil && kib < 0 {
		err = errors.New("no quota in the answer")
	}
	return kib, messages, err
}

// Logout ends the session.
func (c *IMAP) Logout() error {
	err := c.do("LOGOUT", nil)
	return errors.Join(err, c.conn.Close())
}

// quoted is the name of a mailbox, in modified UTF-7 and so without octets that cannot be quoted, as
// every server takes it: Courier's knows no LITERAL+.
func quoted(mailbox string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(mailbox) + `"`
}

// do sends a command and reads responses up to its tagged one, which must be OK.
func (c *IMAP) do(command string, untagged func(line string, literal []byte) error) error {
	c.tag++
	tag := fmt.Sprintf("a%d ", c.tag)
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.conn, tag+command+"\r\n"); err != nil {
		return err
	}
	verb, _, _ := strings.Cut(command, " ")
	for {
		line, literal, err := c.response()
		if err != nil {
			return fmt.Errorf("imap %s: %w", verb, err)
		}
		if status, ok := strings.CutPrefix(line, tag); ok {
			if !strings.HasPrefix(status, "OK") {
				err = fmt.Errorf("imap %s: %s", verb, status)
			}
			return err
		}
		if untagged != nil {
			if err := untagged(line, literal); err != nil {
				return err
			}
		}
	}
}

var literalEnd = regexp.MustCompile(`\{([0-9]+)\}$`)

// response reads one response: its text with the last literal taken out.
func (c *IMAP) response() (text string, literal []byte, err error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "", nil, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		text += line
		m := literalEnd.FindStringSubmatch(line)
		if m == nil {
			return text, literal, nil
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n > maxLiteral {
			return "", nil, fmt.Errorf("imap literal of %s octets", m[1])
		}
		literal = make([]byte, n)
		if _, err := io.ReadFull(c.in, literal); err != nil {
			return "", nil, err
		}
	}
}
