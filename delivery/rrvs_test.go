package delivery

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/head"
)

func TestSinceFields(t *testing.T) {
	const field = "Require-Recipient-Valid-Since: u1@dst.example; Thu, 3 Apr 2014 23:01:00 +0000\r\n"
	at := time.Date(2014, 4, 3, 23, 1, 0, 0, time.UTC)
	long := strings.Replace(field, "; ", ";"+strings.Repeat(" ", head.MaxField)+"\r\n ", 1)
	tests := []struct {
		name, header string
		want         int
	}{
		{"RRVS-04 one", field, 1},
		{"RRVS-04 folded", strings.Replace(field, "; ", ";\r\n\t", 1), 1},
		{"RRVS-04 comment", strings.Replace(field, " +0000", " +0000 (then)", 1), 1},
		{"RRVS-04 space before the colon", strings.Replace(field, ": ", " : ", 1), 1},
		{"RRVS-04 two", field + "A: b\r\n" + field, 2},
		{"RRVS-04 quoted semicolon", strings.Replace(field, "u1@", `"u;1"@`, 1), 1},
		{"RRVS-04 no date", "Require-Recipient-Valid-Since: u1@dst.example\r\n", 0},
		{"RRVS-04 no address", "Require-Recipient-Valid-Since: ; Thu, 3 Apr 2014 23:01:00 +0000\r\n", 0},
		{"RRVS-04 date of another kind", "Require-Recipient-Valid-Since: u1@dst.example; 2014-04-03T23:01:00Z\r\n", 0},
		{"RRVS-04 empty", "Require-Recipient-Valid-Since:\r\n", 0},
		{"RRVS-04 too long", long, 0},
		{"RRVS-04 too many", strings.Repeat(field, head.MaxFields+50), head.MaxFields},
		{"RRVS-04 another field", "X-" + field, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			e := head.Editor{To: &out, Remove: isSinceField, Collect: isSinceField}
			_, err := e.Write([]byte("Subject: s\r\n" + tt.header + "To: x\r\n\r\n" + field))
			if err != nil || e.Close() != nil {
				t.Fatal(err)
			}
			if got := sinceFields(e.Header()); len(got) != tt.want || len(got) > 0 && !got[0].time.Equal(at) {
				t.Errorf("%d fields, want %d: %v", len(got), tt.want, got)
			}
			kept := ""
			if strings.HasPrefix(tt.header, "X-") {
				kept = tt.header
			} else if strings.Contains(tt.header, "A: b") {
				kept = "A: b\r\n"
			}
			if want := "Subject: s\r\n" + kept + "To: x\r\n\r\n" + field; out.String() != want {
				t.Errorf("content %q, want %q", out.String(), want)
			}
		})
	}
}
