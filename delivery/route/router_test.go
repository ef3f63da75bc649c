package route_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// newRouter knows accounts in dst.example that take mail, or refuse it, each for a reason of its own.
func newRouter(t *testing.T) (r *route.Router, root string) {
	t.Helper()
	root = t.TempDir()
	store, err := mailbox.New(mailbox.Options{Create: true, Durability: mailbox.None})
	must(t, err)
	accounts := static.New()
	for _, a := range []directory.Account{
		{Address: "a"}, {Address: "off", Disabled: "reject"}, {Address: "legacy", ASCIIOnly: true},
		{Address: "full", Quota: directory.Quota{Messages: 1}}, {Address: "root", Owner: &directory.Owner{}},
	} {
		a.Key = directory.Key{Local: a.Address, Domain: "dst.example"}
		a.Address += "@dst.example"
		must(t, accounts.Add(&a))
	}
	must(t, accounts.AddAlias(directory.Key{Local: "all", Domain: "dst.example"}, "a@dst.example", "full@dst.example"))
	for _, dir := range []string{"full/new", "full/cur", "full/tmp", "a/new", "a/.Lists/cur"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(root, "full/new/1.a"), []byte("x"), 0o600))
	domain := &route.Domain{Name: "dst.example", Key: "dst.example", Subaddress: "+", Details: route.DetailsFolder}
	return &route.Router{
		Resolver: &route.Resolver{Domains: route.Domains{"dst.example": domain}, Directory: accounts},
		Layout:   route.Layout(root + "/{local}"), Store: store,
		Rules: []route.Rule{{Field: "X-Spam", Folder: ".Junk", Make: true}},
	}, root
}

// TestDecide: a decision has the reply of RCPT and the actions, and the explanation never says anything else.
func TestDecide(t *testing.T) {
	r, root := newRouter(t)
	for _, tt := range []struct {
		to      string
		env     lmtp.Envelope
		reply   string
		actions string
		step    string // one of those that explain it
	}{
		{"a", lmtp.Envelope{}, "250 2.1.5 recipient ok", "keep /a", `rule: X-Spam exists → .Junk`},
		{"a+Lists", lmtp.Envelope{}, "250 2.1.5 recipient ok", "file /a/.Lists", "folder: Lists → .Lists"},
		{"a+Other", lmtp.Envelope{}, "250 2.1.5 recipient ok", "keep /a", "folder: Other → none of that name, so the inbox"},
		{"nobody", lmtp.Envelope{}, "550 5.1.1 no such mailbox here", "", "account: nobody@dst.example → none"},
		{"off", lmtp.Envelope{}, "550 5.2.1 mailbox is disabled", "keep /off", "account: off@dst.example → off@dst.example"},
		{"legacy", lmtp.Envelope{}, "250 2.1.5 recipient ok", "keep /legacy", "smtputf8: legacy@dst.example → 550 5.6.9 "},
		{"legacy", lmtp.Envelope{SMTPUTF8: true}, "550 5.6.9 mailbox takes no internationalized mail", "keep /legacy",
			"smtputf8: "},
		{"full", lmtp.Envelope{}, "452 4.2.2 mailbox is full", "keep /full",
			"quota: full@dst.example → " + root + "/full holds 1 of 1 message"},
		{"root", lmtp.Envelope{}, "451 4.3.0 mailbox is not available", "", "maildir: root@dst.example → broken account"},
		{"all", lmtp.Envelope{}, "452 4.2.2 mailbox is full", "keep /a, keep /full",
			"alias: all@dst.example → a@dst.example, full@dst.example"},
	} {
		to := &lmtp.Recipient{To: address.Address{Raw: tt.to + "@dst.example", Local: tt.to, Domain: "dst.example"}}
		short, long := r.Decide(t.Context(), &tt.env, to), r.Explain(t.Context(), &tt.env, to)
		for _, d := range []route.Decision{short, long} {
			if got := lmtp.RcptReply(d.Err).String(); got != tt.reply {
				t.Errorf("%s: %s, want %s", tt.to, got, tt.reply)
			}
		}
		if got := describeActions(root, long.Actions); got != tt.actions {
			t.Errorf("%s: %s, want %s", tt.to, got, tt.actions)
		}
		if got := describeActions(root, short.Actions); short.Err == nil && got != tt.actions || short.Err != nil &&
			got != "" {
			t.Errorf("%s: decided %s", tt.to, got)
		}
		found := slices.ContainsFunc(long.Steps, func(s route.Step) bool {
			return strings.HasPrefix(fmt.Sprintf("%s: %s → %s", s.Rule, s.Input, s.Result), tt.step)
		})
		if !found || short.Steps != nil {
			t.Errorf("%s: steps %+v and %+v, want %s", tt.to, long.Steps, short.Steps, tt.step)
		}
	}
}

// TestDecideWithoutStore: a folder that cannot be looked for defers the mail, and the explanation agrees.
func TestDecideWithoutStore(t *testing.T) {
	r, root := newRouter(t)
	must(t, os.RemoveAll(root))
	to := &lmtp.Recipient{To: address.Address{Raw: "a+Lists@dst.example", Local: "a+Lists", Domain: "dst.example"}}
	for _, d := range []route.Decision{r.Decide(t.Context(), &lmtp.Envelope{}, to),
		r.Explain(t.Context(), &lmtp.Envelope{}, to)} {
		if got := lmtp.RcptReply(d.Err).String(); !strings.HasPrefix(got, "451 4.3.0 ") {
			t.Errorf("%s", got)
		}
	}
}

func describeActions(root string, actions []route.Action) string {
	var all []string
	for _, a := range actions {
		word := "keep "
		if _, files := a.(route.File); files {
			word = "file "
		}
		all = append(all, word+strings.TrimPrefix(a.Dest().String(), root))
	}
	return strings.Join(all, ", ")
}
