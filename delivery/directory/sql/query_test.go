package sql

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// TestCompile: parameters get placeholders, and what only looks like one is left alone.
func TestCompile(t *testing.T) {
	numbered, backslash := Dialect{Numbered: true}, Dialect{Backslash: true}
	tests := []struct {
		dialect     Dialect
		query, want string
		names       []string
	}{
		{numbered, "a = :address OR b IN (:local,:domain)", "a = $1 OR b IN ($2,$3)", []string{"address", "local", "domain"}},
		{backslash, "a = :address AND b = :address", "a = ? AND b = ?", []string{"address", "address"}},
		{numbered, "a::text = :domain::varchar", "a::text = $1::varchar", []string{"domain"}},
		{numbered, `':local' ":local" -- :local`, `':local' ":local" -- :local`, nil},
		{numbered, "'it''s :local' = :local", "'it''s :local' = $1", []string{"local"}},
		{numbered, `'\' = :local`, `'\' = $1`, []string{"local"}},
		{backslash, `'\' = :local' = :local`, `'\' = :local' = ?`, []string{"local"}},
		{backslash, "`:local` = :domain_unicode", "`:local` = ?", []string{"domain_unicode"}},
		{numbered, "/* :local\n*/ :local -- :domain\n:domain", "/* :local\n*/ $1 -- :domain\n$2",
			[]string{"local", "domain"}},
		{numbered, "'not closed :local", "'not closed :local", nil},
	}
	for _, tt := range tests {
		text, names, err := tt.dialect.compile(tt.query)
		if err != nil || text != tt.want || !slices.Equal(names, tt.names) {
			t.Errorf("%s: %q, %q, %v", tt.query, text, names, err)
		}
	}
	for _, query := range []string{":", "a = :adress", "a = :Address", ": address", ":address2"} {
		if _, _, err := numbered.compile(query); err == nil || !strings.Contains(err.Error(), "unknown parameter") {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestBadRows: a row that makes no sense is an error that names its account.
func TestBadRows(t *testing.T) {
	key := directory.Key{Local: "alice", Domain: "x.example"}
	for name, r := range map[string]row{
		"negative quota":         {"quota": int64(-5)},
		"negative messages":      {"messages": "-2"},
		"a quota that is none":   {"quota": []byte("lots")},
		"a quota that overflows": {"quota": "99999999999999999999"},
		"relative home":          {"home": "alice"},
		"a path outside":         {"mailbox": "../../etc"},
		"a path with NUL":        {"mailbox": "a\x00b"},
		"unknown uid":            {"uid": "nobody", "gid": int64(5)},
		"uid without gid":        {"uid": int64(5)},
		"uid of -1":              {"uid": int64(-1), "gid": int64(5)},
		"uid of 2^32-1":          {"uid": "4294967295", "gid": "1"},
		"gid too large":          {"uid": int64(1), "gid": int64(1) << 40},
		"neither yes nor no":     {"active": "perhaps"},
		"active of -1":           {"active": int64(-1)},
		"disabled somehow":       {"disabled": "yes"},
		"mdbox":                  {"format": "mdbox"},
		"mdbox with a path":      {"format": []byte("mdbox:")},
		"another colon":          {"format": "maildir::"},
		"a path in the format":   {"format": "maildir:/srv/mail"},
		"a prefix without slash": {"prefix": "/srv/mail"},
		"a relative prefix":      {"prefix": "srv/"},
		"a prefix that leads up": {"prefix": "/srv/../"},
		"eai of x":               {"eai": "x"},
		"owner_since in words":   {"owner_since": "yesterday"},
	} {
		r["address"] = "alice@x.example"
		_, err := r.account(key)
		if err == nil || errors.Is(err, directory.ErrNotFound) ||
			!strings.Contains(err.Error(), `account "alice@x.example"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRows: yes, numbers and lists are understood as databases have them.
func TestRows(t *testing.T) {
	for _, yes := range []any{true, int64(1), int64(2), "1", []byte("t"), "TRUE", "y", nil} {
		if a, err := (row{"address": "a@x.example", "active": yes, "quota": "12.0"}).account(directory.Key{Local: "a",
			Domain: "x.example"}); err != nil || a.Disabled != "" || a.Quota.Bytes != 12 {
			t.Errorf("active %v: %+v, %v", yes, a, err)
		}
	}
	for _, no := range []any{false, int64(0), "0", []byte("f"), "n"} {
		if a, err := (row{"address": "a@x.example", "active": no}).account(directory.Key{Local: "a",
			Domain: "x.example"}); err != nil || a.Disabled != "reject" {
			t.Errorf("active %v: %+v, %v", no, a, err)
		}
	}
	for _, format := range []any{nil, "", " ", "maildir", "Maildir", []byte("maildir:")} {
		r := row{"address": "a@x.example", "format": format, "prefix": "/srv/disk2/", "disabled": "unknown"}
		if a, err := r.account(directory.Key{Local: "a", Domain: "x.example"}); err != nil || a.Prefix != "/srv/disk2/" ||
			a.Disabled != "unknown" {
			t.Errorf("format %q: %+v, %v", format, a, err)
		}
	}
	off := row{"address": "a@x.example", "format": "mdbox", "active": false}
	if a, err := off.account(directory.Key{Local: "a", Domain: "x.example"}); err != nil || a.Disabled != "reject" {
		t.Errorf("not active, in another format: %+v, %v", a, err)
	}
	paths := row{"address": "a@x.example", "home": "/srv//mail/a/", "mailbox": "x.example//a/", "quota": int64(-1),
		"messages": "-1"}
	if a, err := paths.account(directory.Key{Local: "a", Domain: "x.example"}); err != nil || a.Home != "/srv/mail/a" ||
		a.Mailbox != "x.example/a" || a.Quota != (directory.Quota{}) {
		t.Errorf("paths and quotas as panels write them: %+v, %v", a, err)
	}
	got, err := row{"target": "a@x.example, \"b,\\\"c\"@x.example,\n,d@x.example"}.targets()
	if want := []string{"a@x.example", `"b,\"c"@x.example`, "d@x.example"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := (row{"goto": "a@x.example"}).targets(); err == nil {
		t.Error("a query without target")
	}
}
