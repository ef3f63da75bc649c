package quota

import "testing"

// TestExceededText: what the log says of a full mailbox names the mailbox once, what it holds, what it may hold,
// and no bound that it does not have.
func TestExceededText(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limit  Limit
		usage  Usage
		octets int64
		want   string
	}{
		{"bytes", Limit{Bytes: 200 << 10}, Usage{610707, 8}, 0,
			"/srv/mail/a/Maildir holds 596.4 KiB of 200 KiB"},
		{"messages", Limit{Messages: 10}, Usage{610707, 10}, 3000,
			"/srv/mail/a/Maildir holds 10 of 10 messages"},
		{"both", Limit{Bytes: 1 << 30, Messages: 1}, Usage{1000, 1}, 0,
			"/srv/mail/a/Maildir holds 1000 octets of 1 GiB, 1 of 1 message"},
		{"no room for this one", Limit{Bytes: 200 << 10}, Usage{150 << 10, 8}, 100<<10 + 1,
			"/srv/mail/a/Maildir holds 150 KiB of 200 KiB, which leaves no room for 100.1 KiB"},
		{"one that is small enough, but for the number", Limit{Bytes: 200 << 10, Messages: 3}, Usage{1 << 10, 3}, 10,
			"/srv/mail/a/Maildir holds 1 KiB of 200 KiB, 3 of 3 messages"},
	} {
		t.Run("MDIR-13 "+tt.name, func(t *testing.T) {
			of := Mailbox{Key: Key{Root: "/srv/mail", Path: "a/Maildir"}, Limit: tt.limit}
			if got := exceeded(of, tt.usage, tt.octets).Error(); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestSizeText rounds up: 1025 octets are more than 1 KiB.
func TestSizeText(t *testing.T) {
	for octets, want := range map[int64]string{
		0: "0 octets", 1: "1 octet", 1023: "1023 octets", 1 << 10: "1 KiB", 1<<10 + 1: "1.1 KiB", 10 << 20: "10 MiB",
		1<<20 - 1: "1 MiB", 3 << 40: "3 TiB", 5 << 50: "5120 TiB", 1<<63 - 1: "8388608 TiB",
	} {
		if got := sizeText(octets); got != want {
			t.Errorf("%d is %q, want %q", octets, got, want)
		}
	}
}
