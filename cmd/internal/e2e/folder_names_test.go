package e2e_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// folderNames are names that a user could want for a folder, and those that are near the bounds of what a reader
// takes: each character of ASCII in each place, INBOX in every case, names that mean something on disk or in IMAP.
func folderNames() []string {
	names := []string{
		"cur", "new", "tmp", "maildirfolder", "maildirsize", "subscriptions", "courierimapsubscribed", "dovecot",
		"dovecot.index",
		"DOVECOT-TRASHED", ".DOVECOT-TRASHED", "#shared", "#shared.a", "shared.a", "shared-folders.a", "temp.x", "Trash",
		"Trash.x",
		".", "..", "...", "a..b", ".a", "a.", "a.b", "a.b.c.d.e", "../a", "a/b", "NIL", `""`, "x ", "  ", "a. b", "a .b",
		"&-", "&&", "&AOk-", "&AOk", "a&-b", "+AOk-", "&AGE-", "a~", "a.~b", "~a.~b", "~root.x",
		"é", "a.é.e\u0301", "\u1100\u1161\u11a8", "각", "ﬁ", "Ａ", "日本語", "אב", "क्\u200dष", "~é", "é~", "x.İ", "ı", "ß",
		"\u00a0", "\u2028", "\u200b", "\u202e", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\ue000",
		"\ud7ff", "\u00ad", "\u0301",
		"a\u0338",
		"📬", "x📬", "\U0010ffff", "\U00020000", "\x00", "a\x00", "\x01", "a\tb", "a\r\nb", "\x7f", "\u0085", "\xff", "a\xe9",
		"\xed\xa0\x80",
		strings.Repeat("a.", 29) + "z", strings.Repeat("a.", 126) + "a", strings.Repeat("é.", 29) + "é",
	}
	for c := ' '; c <= '~'; c++ {
		if c > 'b' && c <= 'z' || c > 'B' && c <= 'Z' || c > '1' && c <= '9' {
			continue // as a and A and 0
		}
		names = append(names, string(c), string(c)+"x", "x."+string(c))
	}
	names = append(names, "inboxx", "inbox ", " inbox", "x.inbox", "x.INBOX", "INBOX.INBOX", "INBOX.inbox", "inbox.x.y")
	for mask := range 1 << 5 {
		inbox := []byte("inbox")
		for i := range inbox {
			inbox[i] -= byte(mask>>i&1) * ('a' - 'A')
		}
		names = append(names, string(inbox), string(inbox)+".x")
	}
	for _, n := range []int{64, 85, 127, 200, 201, 254, 255, 256} {
		names = append(names, strings.Repeat("a", n), strings.Repeat("é", n), strings.Repeat("日", n),
			"b."+strings.Repeat("b", n), strings.Repeat("c", n)+".x", strings.Repeat("d", n/2)+"."+strings.Repeat("d", n-n/2))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestFolderNames: whatever name mail asks for, by a detail or by a rule, its reader can open the folder where it went
// and fetch it there.
func TestFolderNames(t *testing.T) {
	t.Parallel()
	for reader, tt := range map[string]struct {
		needs, encoding string
		dial            func(t *testing.T, maildir string) *peer.IMAP
	}{
		"Dovecot":          {"dovecot", "utf-7", dialDovecot("maildir:~:INDEX=MEMORY")},
		"Dovecot in UTF-8": {"dovecot", "utf-8", dialDovecot("maildir:~:UTF-8:INDEX=MEMORY")},
		"Courier": {"courier-imap", "utf-8",
			func(t *testing.T, maildir string) *peer.IMAP { return peer.DialCourier(t, maildir) }},
	} {
		t.Run(reader, func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.needs)
			encoding, prefix := mailbox.FolderUTF7, ""
			if tt.encoding == "utf-8" {
				encoding = mailbox.FolderUTF8
			}
			if reader == "Courier" {
				prefix = "INBOX."
			}
			names := folderNames()
			maildir := fileByName(t, names, tt.encoding, func(name string) bool {
				_, err := encoding.Dir(name)
				return err == nil && (reader != "Courier" || !encoding.IsRisky(name)) // of which check warns
			})
			c := tt.dial(t, maildir)
			listed, err := c.Mailboxes()
			if err != nil {
				t.Fatal(err)
			}
			found := folderMail(t, maildir)
			for dir, mail := range found {
				folder := "INBOX"
				if dir != "" {
					folder = prefix + imapName(dir[1:], tt.encoding == "utf-8")
				}
				if !slices.Contains(listed, folder) {
					t.Errorf("%q is not listed", dir)
				}
				if err := readFolder(c, folder, mail); err != nil {
					t.Errorf("%q: %v", dir, err)
				}
			}
			if err := c.Logout(); err != nil {
				t.Error(err)
			}
			t.Logf("%d names, %d folders", len(names), len(found)-1)
		})
	}
}

// readFolder fetches what is in a folder: each of these messages and no other.
func readFolder(c *peer.IMAP, folder string, want []string) error {
	n, err := c.Select(folder)
	if err != nil || n != len(want) {
		return fmt.Errorf("%d messages of %d: %v", n, len(want), err)
	}
	for i := range n {
		_, content, err := c.Fetch(i + 1)
		_, mark, _ := strings.Cut(string(content), "\r\nX-")
		if mark, _, _ = strings.Cut(mark, "\r\n"); err != nil || !slices.Contains(want, mark) {
			return fmt.Errorf("it holds %q: %v", mark, err)
		}
	}
	return nil
}

func dialDovecot(location string) func(t *testing.T, maildir string) *peer.IMAP {
	return func(t *testing.T, maildir string) *peer.IMAP {
		d := peer.StartDovecot(t, peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser,
			Users: []peer.DovecotUser{{Name: "reader", Maildir: maildir}}, Settings: []string{"mail_location = " + location}})
		c, err := peer.DialIMAP(d.Addr, "reader", peer.Password)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// fileByName sends a message for each name, with the name for a detail, and one by a rule where it may be a rule's. It
// returns the Maildir, when all are there.
func fileByName(t *testing.T, names []string, encoding string, may func(name string) bool) (maildir string) {
	t.Helper()
	dir := peer.MailDir(t)
	store, listener := filepath.Join(dir, "mail"), "unix:"+filepath.Join(dir, "lmtp")
	if err := errors.Join(os.Mkdir(store, 0o700), os.Chown(store, peer.MailUser, peer.MailUser)); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		`postmaster = "u@dst.example"`,
		"[[listen]]", `address = "` + listener + `"`,
		"[store]", `path = "` + store + `/{local}"`, `folders = "` + encoding + `"`, `durability = "none"`,
		"[limits]", "folders = 10000", "folder_levels = 30",
		"[[domain]]", `name = "dst.example"`, `detail = "create"`,
		"[[user]]", `address = "u@dst.example"`,
	}
	for i, name := range names {
		if may(name) {
			lines = append(lines, "[[rule]]", `header = "X-Rule"`, `equals = "`+strconv.Itoa(i)+`"`, "folder = "+tomlText(name))
		}
	}
	p := peer.StartDoorstep(t, dir, strings.Join(lines, "\n"))
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(listener, "unix:"))
	sent := 0
	for i, name := range names {
		c, err := client.Dial(t.Context(), listener, client.Options{}) // one may not have errors without end
		if err != nil {
			t.Fatal(err)
		}
		detail := `"u+` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"@dst.example`
		for to, field := range map[string]string{detail: "X-Detail: ", "u@dst.example": "X-Rule: "} {
			if strings.ContainsFunc(to, unicode.IsControl) || !utf8.ValidString(to) {
				continue // no address
			}
			r, err := c.Send(t.Context(), client.Message{To: client.To(to), UTF8: client.UTF8Always,
				Content: strings.NewReader(field + strconv.Itoa(i) + "\n\nx\n")})
			if err != nil {
				t.Fatalf("%q: %v", to, err)
			}
			switch o := r.Recipients[0]; {
			case o.Delivered():
				sent++
			case to != detail || o.Final.Code/100 != 5: // a detail may be too long for an address
				t.Errorf("%q: %s", to, o.Final)
			}
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	maildir = filepath.Join(store, "u")
	there := 0
	for _, files := range folderMail(t, maildir) {
		there += len(files)
	}
	if there != sent {
		t.Errorf("%d messages of %d are there", there, sent)
	}
	return maildir
}

// folderMail returns the messages in new/ of a Maildir and its folders: of each what tells it from others.
func folderMail(t *testing.T, maildir string) map[string][]string {
	t.Helper()
	mail := map[string][]string{}
	for _, pattern := range []string{"new/*", ".*/new/*"} {
		files, err := filepath.Glob(filepath.Join(maildir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := strings.TrimPrefix(strings.TrimPrefix(filepath.Dir(filepath.Dir(file)), maildir), "/")
			_, mark, _ := strings.Cut(string(content), "\nX-")
			mark, _, _ = strings.Cut(mark, "\n")
			mail[dir] = append(mail[dir], mark)
		}
	}
	return mail
}

// imapName is the name of a folder as IMAP has it (RFC 3501 §5.1.3), given what is on disk. It is not Doorstep's own.
func imapName(name string, utf8 bool) string {
	if !utf8 {
		return name
	}
	var b strings.Builder
	for name != "" {
		plain := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
		if plain < 0 {
			plain = len(name)
		}
		b.WriteString(strings.ReplaceAll(name[:plain], "&", "&-"))
		name = name[plain:]
		other := strings.IndexFunc(name, func(r rune) bool { return ' ' <= r && r <= '~' })
		if other < 0 {
			other = len(name)
		}
		var octets []byte
		for _, unit := range utf16.Encode([]rune(name[:other])) {
			octets = append(octets, byte(unit>>8), byte(unit))
		}
		if len(octets) > 0 {
			b.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(octets), "/", ",") + "-")
		}
		name = name[other:]
	}
	return b.String()
}

// tomlText writes a text in TOML, with what would need an escape as its number.
func tomlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' || r == 0x7f {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
