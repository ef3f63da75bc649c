package outbox

import (
	"bytes"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What is written to a file is read from it, whatever a client has said: what is not UTF-8 has U+FFFD for each octet.
func FuzzEntry(f *testing.F) {
	f.Add("1", "s@src.example", "QQ+1", "utf-8", "用户@dst.example", "u1@dst.example", []byte("Subject: x\r\n"), false)
	f.Add("\x00", "\"\n\"@b", "\u2028", "x", "\xff", "\\", []byte("\n\n{"), true)
	f.Fuzz(func(t *testing.T, transaction, sender, id, kind, original, final string, header []byte, cut bool) {
		text := func(s string) string { return string([]rune(s)) }
		e := Entry{Transaction: transaction, Sender: sender, EnvelopeID: id,
			Original: address.Original{Type: kind, Address: original}, Final: final,
			Arrived: time.Unix(1_795_830_925, 0).UTC(), Header: header, Cut: cut}
		content, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(content)
		want := e
		want.Transaction, want.Sender, want.EnvelopeID, want.Final = text(transaction), text(sender), text(id), text(final)
		want.Original = address.Original{Type: text(kind), Address: text(original)}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
		if first, _, _ := bytes.Cut(content, []byte("\n")); bytes.ContainsFunc(first, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("first line %q", first)
		}
		if _, err := decode(content[:len(content)-1]); err == nil && len(header) > 0 {
			t.Fatal("what was cut off is an entry")
		}
	})
}

// A file of whatever content is an entry, or is not, and nothing worse.
func FuzzDecode(f *testing.F) {
	whole, err := entry("1", "u1@dst.example").encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"v":1,"kind":"report","octets":0,"arrived":"9999-12-31T23:59:59+23:59"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		e, err := decode(content)
		if err != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatalf("%+v is an entry, and cannot be written: %v", e, err)
		}
		twice, err := decode(again)
		if err != nil || !twice.Arrived.Equal(e.Arrived) {
			t.Fatalf("%v: %+v", err, twice)
		}
		twice.Arrived = e.Arrived
		if diff := cmp.Diff(e, twice, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
