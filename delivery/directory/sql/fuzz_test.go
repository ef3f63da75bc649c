package sql

import (
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// FuzzCompile: of any query nothing but the parameters is changed.
func FuzzCompile(f *testing.F) {
	f.Add("SELECT a::text FROM t WHERE b = :address AND c IN (:local, ':domain') -- :local", true, false)
	f.Add("SELECT `:local` /* :domain */ FROM t WHERE a = '\\' :local' OR b = \":domain\" AND c = :domain_unicode", false, true)
	f.Add(":addressx :", false, false)
	f.Fuzz(func(t *testing.T, query string, numbered, backslash bool) {
		d := Dialect{Numbered: numbered, Backslash: backslash}
		text, names, err := d.compile(query)
		if err != nil {
			return
		}
		want := query
		from := 0
		for n, name := range names { // the n-th parameter is at the first place from where the text can go on as it does
			placeholder := d.placeholder(n + 1)
			for {
				i := strings.Index(want[from:], ":"+name)
				if i < 0 {
					t.Fatalf("%q: %q has a parameter %s that is not there", query, text, name)
				}
				from += i
				if strings.HasPrefix(text, want[:from]+placeholder) {
					break
				}
				from++
			}
			want = want[:from] + placeholder + want[from+1+len(name):]
			from += len(placeholder)
		}
		if text != want {
			t.Errorf("%q became %q, want %q", query, text, want)
		}
	})
}

// FuzzRow: an account that a database describes in any way is refused, or is one that mail may be delivered to.
func FuzzRow(f *testing.F) {
	f.Add("alice", "a/b/", "1000", "5", "5", "1", "2024-01-01T00:00:00Z", "maildir")
	f.Add("../x", "", "-1", "", "0", "no", "yesterday", "mdbox")
	f.Fuzz(func(t *testing.T, home, mailbox, quota, uid, gid, active, since, format string) {
		r := row{
			"address": "alice@dst.example", "home": home, "mailbox": []byte(mailbox), "quota": quota, "uid": uid, "gid": gid,
			"active": active, "owner_since": since, "format": format,
		}
		a, err := r.account(directory.Key{Local: "alice", Domain: "dst.example"})
		if err != nil {
			return
		}
		if err := a.Check(); err != nil {
			t.Errorf("%v: %v", r, err)
		}
		if a.Quota.Bytes < 0 || strings.ContainsRune(a.Mailbox, 0) ||
			a.Owner == nil && strings.TrimSpace(uid+gid) != "" {
			t.Errorf("%v became %+v", r, a)
		}
	})
}

// FuzzList: the targets of an alias are parted at commas and line ends, and nothing of them is lost.
func FuzzList(f *testing.F) {
	f.Add(`a@x.example, "b,c"@x.example` + "\n" + `"d\",e"@x.example`)
	f.Fuzz(func(t *testing.T, text string) {
		parts := splitList(text)
		left := text
		for i, part := range parts {
			rest, ok := strings.CutPrefix(left, part)
			if ok && i < len(parts)-1 {
				ok = rest != "" && (rest[0] == ',' || rest[0] == '\n')
				rest = rest[min(1, len(rest)):]
			}
			if !ok {
				t.Fatalf("%q became %q", text, parts)
			}
			left = rest
		}
		if left != "" {
			t.Errorf("%q: %q is lost", text, left)
		}
	})
}
