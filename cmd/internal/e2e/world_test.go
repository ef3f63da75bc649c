package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A tongue is a script of the EAI test languages, with an account in it.
type tongue struct {
	name          string
	local, domain string // NFC, lower case
	spelt         string // the same local part in another spelling
	word          string
}

var tongues = []tongue{
	{"Arabic", "علي", "مثال.example", "علي", "تحية"},
	{"Chinese, simplified", "用户", "例子.example", "用户", "你好"},
	{"Chinese, traditional", "用戶", "臺灣.example", "用戶", "哈囉"},
	{"Cyrillic", "почтой", "пример.example", "ПОЧТОи\u0306", "привет"},
	{"Devanagari", "डेटा", "उदाहरण.example", "डेटा", "नमस्ते"},
	{"Greek", "χρήση", "παράδειγμα.example", "ΧΡΗ\u0301ΣΗ", "γεια"},
	{"Hebrew", "דואר", "דוגמה.example", "דואר", "שלום"},
	{"Japanese", "データ", "例え.example", "テ\u3099ータ", "今日は"},
	{"Korean", "사용자", "실례.example", "\u1109\u1161\u110b\u116d\u11bc\u110c\u1161", "안녕"},
	{"Thai", "ผู้ใช้", "ตัวอย่าง.example", "ผู้ใช้", "สวัสดี"},
	{"Latin", "josé", "bücher.example", "JOSE\u0301", "Grüße"},
}

func (w tongue) address() string { return w.local + "@" + w.domain }

// aLabels is the domain in its other spelling.
func (w tongue) aLabels(tb testing.TB) string {
	tb.Helper()
	key, err := address.DomainKey(w.domain)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// attach is a message with all that may be internationalized in one: addresses, subject, names of
// attachments in RFC 2231's form and raw, and a message/global (RFC 6532 §3.7) inside.
func (w tongue) attach(from, to string) string {
	var encoded strings.Builder
	for _, b := range []byte(w.word) {
		fmt.Fprintf(&encoded, "%%%02X", b)
	}
	return strings.NewReplacer("FROM", from, "TO", to, "WORD", w.word, "ENCODED", encoded.String()).Replace(`From: WORD <FROM>
To: WORD <TO>
Subject: WORD e` + "\u0301" + ` WORD
Date: Mon, 02 Nov 2026 09:10:11 +0100
Message-ID: <ENCODED@src.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

WORD
.
--b
Content-Type: text/plain; name*=utf-8''ENCODED.txt
Content-Disposition: attachment; filename*=utf-8''ENCODED.txt

one
--b
Content-Type: text/plain; name="WORD.txt"
Content-Disposition: attachment; filename="WORD.txt"
Content-Transfer-Encoding: 8bit

two
--b
Content-Type: message/global
Content-Transfer-Encoding: 8bit

From: WORD <FROM>
Subject: WORD

WORD
--b--
`)
}

// A world is a site with an account for each tongue, and plainSender.
type world struct {
	*site
	strict string // a listener that takes addresses in UTF-8 with SMTPUTF8 only
}

var plainSender = siteAccount{address: "sender@src.example", path: "src.example/sender"}

// openWorld builds doorstep and starts it.
func openWorld(t *testing.T) *world {
	t.Helper()
	w := planWorld(t)
	w.start(t, "")
	return w
}

// planWorld is a world that is yet to be started, for peers that Doorstep must know of.
func planWorld(t *testing.T) *world {
	t.Helper()
	dir := peer.MailDir(t)
	w := &world{
		site: &site{unix: "unix:" + filepath.Join(dir, "lmtp"), tcp: "127.0.0.1:" + peer.FreePort(t),
			store: filepath.Join(dir, "mail")},
		strict: "unix:" + filepath.Join(dir, "strict"),
	}
	if err := os.Mkdir(w.store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(w.store, peer.MailUser, peer.MailUser); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts it, with more in its configuration.
func (w *world) start(t *testing.T, more string) {
	t.Helper()
	p := peer.StartDoorstep(t, filepath.Dir(w.store), w.configuration(t)+more)
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(w.unix, "unix:"))
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(w.strict, "unix:"))
	peer.AwaitListener(t, p, "tcp", w.tcp)
}

// configuration has the domains in U-labels and in A-labels by turns.
func (w *world) configuration(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "hostname = %q\n", "store.example")
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nmode = \"0666\"\n", w.unix)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\nmode = \"0666\"\nlenient_8bit_localpart = false\n", w.strict)
	fmt.Fprintf(&b, "[[listen]]\naddress = %q\n", "tcp:"+w.tcp)
	fmt.Fprintf(&b, "[store]\npath = %q\n", w.store+"/{domain}/{local}/Maildir")
	b.WriteString("[[domain]]\nname = \"src.example\"\n[[user]]\naddress = \"sender@src.example\"\naliases = " +
		"[\"postmaster@src.example\"]\n")
	for i, tongue := range tongues {
		domain := tongue.domain
		if i%2 == 1 {
			domain = tongue.aLabels(t)
		}
		fmt.Fprintf(&b, "[[domain]]\nname = %q\ndetail = \"folder\"\n[[user]]\naddress = %q\n", domain, tongue.address())
	}
	return b.String()
}

// account is the mailbox of a tongue: its domain in A-labels, its local part in UTF-8.
func (w *world) account(t *testing.T, of tongue) siteAccount {
	t.Helper()
	return siteAccount{address: of.address(), path: of.aLabels(t) + "/" + of.local}
}

// domains are all spellings of all domains.
func domains(t *testing.T) (list []string) {
	t.Helper()
	for _, w := range tongues {
		list = append(list, w.domain, w.aLabels(t))
	}
	return list
}

// readByIMAP wants Dovecot to give back every message in every account.
func (w *world) readByIMAP(t *testing.T) {
	t.Helper()
	c := peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser}
	for _, tongue := range tongues {
		c.Users = append(c.Users, peer.DovecotUser{Name: tongue.address(), Maildir: w.maildir(w.account(t, tongue))})
	}
	d := peer.StartDovecot(t, c)
	for _, tongue := range tongues {
		if err := readBack(d.Addr, tongue.address(), w.messages(t, w.account(t, tongue))); err != nil {
			t.Errorf("%s by IMAP: %v", tongue.name, err)
		}
	}
	if complaints := d.Complaints(); len(complaints) > 0 {
		t.Errorf("Dovecot complains: %q", complaints)
	}
}
