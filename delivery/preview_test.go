package delivery_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestPreviewIsWhatHappens: what a preview says of each recipient is what the delivery then says, and the copies are
// where it said; it changes nothing itself.
func TestPreviewIsWhatHappens(t *testing.T) {
	locals := []string{"u1", "u1+Lists", "u1+Other", "u2", "off", "busy", "full", "small", "legacy", "team", "nobody",
		"dirdown"}
	for name, content := range map[string]string{
		"plain":     "Subject: x\r\n\r\nx\r\n",
		"none":      "",
		"rule":      "X-Spam: 1\r\n\r\nx\r\n",
		"new owner": "Require-Recipient-Valid-Since: u2@dst.example; Thu, 1 Jan 2015 00:00:00 +0000\r\n\r\nx\r\n",
		"loop":      strings.Repeat("Received: from x\r\n", 101) + "\r\n",
		"large":     "Subject: x\r\n\r\n" + strings.Repeat("x", 3000) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			f.agent.RRVS = true
			f.router.Rules = []route.Rule{{Field: "X-Spam", Folder: ".Junk", Make: true}}
			f.router.Resolver.Domains["dst.example"].Details = route.DetailsFolder
			must(t, os.MkdirAll(filepath.Join(f.root, "dst.example/u1/Maildir/.Lists/cur"), 0o700))
			env := &lmtp.Envelope{ID: "x.1", Size: int64(len(content))}
			var to []*lmtp.Recipient
			for _, local := range locals {
				path, err := address.Parser{}.ForwardPath(local + "@dst.example")
				must(t, err)
				to = append(to, &lmtp.Recipient{To: path})
			}
			before := tree(t, f.root)
			previews, err := f.agent.Preview(t.Context(), env, to, strings.NewReader(content))
			must(t, err)
			if after := tree(t, f.root); after != before {
				t.Errorf("the preview changed the store:\n%s\nfrom\n%s", after, before)
			}
			for i, err := range outcomes(t, f, env, to, content) {
				got, want := lmtp.RcptReply(previews[i].Err).String(), lmtp.RcptReply(err).String()
				if got != want {
					t.Errorf("%s: previewed %s, delivered %s", locals[i], got, want)
				}
				for _, dest := range previews[i].To {
					mail, err := filepath.Glob(dest.String() + "/new/*")
					must(t, err)
					if want == "250 2.1.5 recipient ok" && len(mail) == 0 {
						t.Errorf("%s: nothing in %s", locals[i], dest)
					}
				}
			}
		})
	}
}

// outcomes delivers a message, and returns what became of each recipient.
func outcomes(t *testing.T, f *fixture, env *lmtp.Envelope, to []*lmtp.Recipient, content string) []error {
	t.Helper()
	tx, err := f.agent.Mail(t.Context(), lmtp.LocalSession("mx.dst.example"), env)
	must(t, err)
	all := make([]error, len(to))
	for i, r := range to {
		all[i] = tx.Rcpt(t.Context(), r)
	}
	_, refused := io.Copy(tx, strings.NewReader(content))
	var results <-chan error
	if refused == nil {
		results = tx.Commit(t.Context())
	} else {
		tx.Abort(refused)
	}
	for i := range all {
		switch {
		case all[i] != nil:
		case refused != nil:
			all[i] = refused
		default:
			all[i] = <-results
		}
	}
	return all
}

// tree lists all that is below a directory.
func tree(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Name() != "maildirsize" { // a count that is kept is no change
			fmt.Fprintln(&b, path, info.Size())
		}
		return err
	}))
	return b.String()
}
