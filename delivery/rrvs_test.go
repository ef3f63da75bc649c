package delivery

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// editedInParts gives what a headEditor that collects makes of content, in parts of n octets.
func editedInParts(t *testing.T, content string, n int) (string, *sinceFields) {
	t.Helper()
	var out bytes.Buffer
	fields := &sinceFields{}
	h := headEditor{dst: &out, since: fields}
	for len(content) > 0 {
		part := content[:min(n, len(content))]
		content = content[len(part):]
		if err := h.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), fields
}

const sinceField = "Require-Recipient-Valid-Since: u1@dst.example; Thu, 3 Apr 2014 23:01:00 +0000\r\n"

func TestSinceFields(t *testing.T) {
	at := time.Date(2014, 4, 3, 23, 1, 0, 0, time.UTC)
	long := "Require-Recipient-Valid-Since: u1@dst.example;" + strings.Repeat(" ", maxSinceField) + "\r\n Thu, 3 Apr 2014 23:01:00 +0000\r\n"
	tests := []struct {
		name, header string
		want         int
	}{
		{"RRVS-04 one", sinceField, 1},
		{"RRVS-04 folded", strings.Replace(sinceField, "; ", ";\r\n\t", 1), 1},
		{"RRVS-04 comment", strings.Replace(sinceField, " +0000", " +0000 (then)", 1), 1},
		{"RRVS-04 space before the colon", strings.Replace(sinceField, ": ", " : ", 1), 1},
		{"RRVS-04 two", sinceField + "A: b\r\n" + sinceField, 2},
		{"RRVS-04 quoted semicolon", strings.Replace(sinceField, "u1@", `"u;1"@`, 1), 1},
		{"RRVS-04 no date", "Require-Recipient-Valid-Since: u1@dst.example\r\n", 0},
		{"RRVS-04 no address", "Require-Recipient-Valid-Since: ; Thu, 3 Apr 2014 23:01:00 +0000\r\n", 0},
		{"RRVS-04 date of another kind", "Require-Recipient-Valid-Since: u1@dst.example; 2014-04-03T23:01:00Z\r\n", 0},
		{"RRVS-04 empty", "Require-Recipient-Valid-Since:\r\n", 0},
		{"RRVS-04 too long", long, 0},
		{"RRVS-04 too many", strings.Repeat(sinceField, maxSinceFields+50), maxSinceFields},
		{"RRVS-04 another field", "X-" + sinceField, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{1, 7, 1 << 20} {
				out, fields := editedInParts(t, "Subject: s\r\n"+tt.header+"To: x\r\n\r\n"+sinceField, n)
				got := fields.parse()
				if len(got) != tt.want || len(got) > 0 && !got[0].time.Equal(at) {
					t.Errorf("parts of %d: %d fields, want %d: %v", n, len(got), tt.want, got)
				}
				kept := ""
				if strings.HasPrefix(tt.header, "X-") || strings.Contains(tt.header, "A: b") {
					kept = strings.ReplaceAll(tt.header, "\n"+sinceField, "\n")
					kept = strings.TrimPrefix(kept, sinceField)
				}
				if want := "Subject: s\r\n" + kept + "To: x\r\n\r\n" + sinceField; out != want {
					t.Errorf("parts of %d: content %q, want %q", n, out, want)
				}
				held := 0
				for _, body := range fields.bodies {
					held += len(body)
				}
				if held > maxSinceFields*maxSinceField {
					t.Errorf("%d octets are held", held)
				}
			}
		})
	}
}

func TestRefuseOwner(t *testing.T) {
	owner := time.Date(2015, 6, 1, 12, 0, 0, 0, time.UTC)
	since := &directory.Account{OwnerSince: owner}
	for i, tt := range []struct {
		account *directory.Account
		local   string
		at      time.Time
		want    error
	}{
		{since, "u1", time.Time{}, nil},
		{since, "u1", owner, nil},
		{since, "u1", owner.Add(time.Second), nil},
		{since, "u1", owner.Add(-time.Second), errNewOwner},
		{since, "Abuse", owner.Add(-time.Second), nil},
		{since, "abuses", owner.Add(-time.Second), errNewOwner},
		{&directory.Account{}, "u1", owner, errUnknownOwner},
		{&directory.Account{}, "u1", time.Time{}, nil},
		{&directory.Account{}, "postmaster", owner, nil},
	} {
		t.Run(fmt.Sprint("RRVS-01 ", i), func(t *testing.T) {
			if got := refuseOwner(tt.account, address.Address{Local: tt.local}, tt.at); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
