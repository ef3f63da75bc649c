package delivery_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// TestDetailFolders delivers one message to many addresses of one account, where the domain
// wants details in folders, and looks where the copies are.
func TestDetailFolders(t *testing.T) {
	const session = `
U1
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+Lists@dst.example>
S: 250 2.1.5
C> RCPT TO:<U1+R\xc3\xa4ksm\xc3\xb6rg\xc3\xa5s@dst.example>\r\n
S: 250 2.1.5
C> RCPT TO:<u1+Ra\xcc\x88ksmo\xcc\x88rga\xcc\x8as@dst.example>\r\n
S: 250 2.1.5
C: RCPT TO:<u1+lists@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+Lists.Go@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+Lists.Rust@dst.example>
S: 250 2.1.5
C: RCPT TO:<"u1+../../u2/Maildir"@dst.example>
S: 250 2.1.5
C: RCPT TO:<"u1+."@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+cur@dst.example>
S: 250 2.1.5
C: RCPT TO:<u1+link@dst.example>
S: 250 2.1.5
C: RCPT TO:<sales+Lists@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0 x13
`
	folders := map[mailbox.FolderEncoding]string{
		mailbox.FolderUTF7: ".R&AOQ-ksm&APY-rg&AOU-s",
		mailbox.FolderUTF8: ".Räksmörgås",
	}
	for encoding, internationalized := range folders {
		f := newFixture(t, "lmtp")
		f.router.Folders = encoding
		f.router.Resolver.Domains["dst.example"].Details = route.DetailsFolder
		maildir := filepath.Join(f.root, "dst.example", "u1", "Maildir")
		for _, folder := range []string{"", ".Lists", ".Lists.Go", internationalized} {
			for _, sub := range []string{"cur", "new", "tmp"} {
				must(t, os.MkdirAll(filepath.Join(maildir, folder, sub), 0o700))
			}
		}
		must(t, os.Symlink(maildir, filepath.Join(maildir, ".link")))
		script, err := lmtptest.Parse("session", session)
		must(t, err)
		if err := script.Play(f.connect(t, "unix"), lmtptest.OneWrite); err != nil {
			t.Fatalf("%v\nlog:\n%s", err, f.log.String())
		}
		f.shutdown(t)

		// One copy each, and the trace fields of the first address that led there.
		want := map[string]string{"": "u1@", ".Lists": "u1+Lists@", ".Lists.Go": "u1+Lists.Go@",
			internationalized: "U1+Räksmörgås@"}
		all, err := filepath.Glob(filepath.Join(f.root, "*", "*", "Maildir", "new", "*"))
		must(t, err)
		inFolders, err := filepath.Glob(filepath.Join(maildir, ".*", "new", "*"))
		must(t, err)
		for _, file := range append(all, inFolders...) {
			folder := strings.Trim(strings.TrimPrefix(filepath.Dir(filepath.Dir(file)), maildir), "/")
			if folder == ".link" {
				continue // the inbox again
			}
			text, err := os.ReadFile(file)
			must(t, err)
			to, expected := want[folder]
			if !expected || !strings.Contains(string(text), "\nDelivered-To: "+to+"dst.example\n") {
				t.Errorf("encoding %d: %q holds %q", encoding, folder, text)
			}
			delete(want, folder)
		}
		if len(want) > 0 {
			t.Errorf("encoding %d: nothing in %q", encoding, want)
		}
	}
}

// TestDetailsStayInTheInbox is the default: a folder that is there does not change it.
func TestDetailsStayInTheInbox(t *testing.T) {
	f := newFixture(t, "lmtp")
	folder := filepath.Join(f.root, "dst.example", "u1", "Maildir", ".Lists")
	for _, sub := range []string{"cur", "new", "tmp"} {
		must(t, os.MkdirAll(filepath.Join(folder, sub), 0o700))
	}
	script, err := lmtptest.Parse("session",
		"P1\nC: RCPT TO:<u1+Lists@dst.example>\nS: 250 2.1.5\nC: DATA\nS: 354\nC: .\nS: 250 2.0.0\nin u1: 1\n")
	must(t, err)
	f.playScript(t, script)
}

// TestLostRootAtRcpt: a folder that cannot be looked for is a temporary failure, early.
func TestLostRootAtRcpt(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.router.Resolver.Domains["dst.example"].Details = route.DetailsFolder
	must(t, os.RemoveAll(f.root))
	f.say(t, "pipe", "P1\nC: RCPT TO:<u1+Lists@dst.example>\nS: 451 4.3.0\n")
}

// TestDetailsMakeNoRiskyFolders: no mail makes a folder over which Courier's IMAP server fails. One that
// is there is as good as any.
func TestDetailsMakeNoRiskyFolders(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.router.Resolver.Domains["dst.example"].Details = route.DetailsCreate
	f.router.Folders, f.router.FolderLimit, f.router.FolderLevels = mailbox.FolderUTF8, 9, 2
	if err := os.MkdirAll(filepath.Join(f.root, "dst.example/u1/Maildir/.📫/cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.play(t, "", "", "u1+📫@dst.example")
	f.play(t, "", "", "u1+x📬@dst.example")
	f.play(t, "", "", "u1+ö@dst.example")
	f.shutdown(t)
	f.wantMail(t, map[string]int{"u1": 1, "u1/.📫": 1, "u1/.ö": 1})
}

// TestDetailsMakeFolders: a detail makes its folder when mail comes for it, not before, and within
// the bounds.
func TestDetailsMakeFolders(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.router.Resolver.Domains["dst.example"].Details = route.DetailsCreate
	f.router.FolderLimit, f.router.FolderLevels = 3, 2
	f.play(t, "RSET", "", "u1+never@dst.example")
	f.play(t, "", "", "u1@dst.example", "u1+a@dst.example", "u1+A.b@dst.example", `"u1+a.b.c"@dst.example`,
		`"u1+../x"@dst.example`, "u1+inbox@dst.example", `"u1+a..b"@dst.example`, "u1+a@dst.example")
	f.play(t, "", "", "u1+c@dst.example")
	f.play(t, "", "", "u1+d@dst.example", "u1+a@dst.example", "u2+ü@dst.example")
	f.shutdown(t)
	f.wantMail(t, map[string]int{
		"u1": 2, "u1/.a": 2, "u1/.A.b": 1, "u1/.c": 1, // one level too deep, and no names: the first's
		"u2/.&APw-": 1,
	})
	for user, want := range map[string]string{"u1": "a\nA.b\nc\n", "u2": "&APw-\n"} {
		got, err := os.ReadFile(filepath.Join(f.root, "dst.example", user, "Maildir", "subscriptions"))
		if err != nil || len(got) != len(want) {
			t.Errorf("%s is subscribed to %q, %v; want %q", user, got, err, want)
		}
	}
}

// TestFoldersInAnyCase: details and rules find a folder that is there without regard to case and normalization form,
// and make no second one beside it, not even for one message. Where several fit a detail is a tag, and a rule makes its
// own.
func TestFoldersInAnyCase(t *testing.T) {
	for encoding, cafe := range map[mailbox.FolderEncoding]string{
		mailbox.FolderUTF7: ".Caf&AOk-", mailbox.FolderUTF8: ".Café",
	} {
		f := newFixture(t, "lmtp")
		f.router.Resolver.Domains["dst.example"].Details = route.DetailsCreate
		f.router.Folders, f.router.FolderLimit, f.router.FolderLevels = encoding, 20, 2
		store, err := mailbox.New(mailbox.Options{Create: true, Folders: encoding, Durability: mailbox.None})
		must(t, err)
		f.agent.Store, f.router.Store = store, store
		f.router.Rules = []route.Rule{
			{Field: "X-Spam", Folder: ".junk", Make: true},
			{Field: "X-Two", Folder: ".two", Make: true},
			{Field: "X-Two-Only", Folder: ".two"},
		}
		for _, dir := range []string{".Junk", ".Two", ".TWO", cafe} {
			for _, sub := range []string{"cur", "new", "tmp"} {
				must(t, os.MkdirAll(filepath.Join(f.root, "dst.example/u1/Maildir", dir, sub), 0o700))
			}
		}
		f.play(t, "", "", "u1+cafE\u0301@dst.example", "u1+CAFÉ@dst.example")
		f.play(t, "", "", "u1+Shop@dst.example", "u1+shop@dst.example")
		f.play(t, "", "", "u1+SHOP@dst.example")
		f.play(t, "", "", "u1+tWo@dst.example")
		f.play(t, "", `X-Two-Only: x\r\n\r\n`, "u1@dst.example")
		f.play(t, "", `X-Spam: x\r\n\r\n`, "u1@dst.example", "u2@dst.example")
		f.play(t, "", `X-Two: x\r\n\r\n`, "u1@dst.example")
		f.shutdown(t)
		f.wantMail(t, map[string]int{
			"u1/" + cafe: 1, "u1/.Shop": 2, "u1": 2, "u1/.Junk": 1, "u1/.two": 1, "u2/.junk": 1,
		})
	}
}
