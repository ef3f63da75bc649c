package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestHugeHeaders is S16: headers that took other servers seconds and minutes cost what their octets
// cost, with a rule that looks at every field. A minute is what nothing but a cost that grows with the square
// takes.
func TestHugeHeaders(t *testing.T) {
	const many = 500_000
	for name, content := range map[string]string{
		"500000 To fields":            strings.Repeat("To: a@dst.example\r\n", many) + "\r\n",
		"one field of 500000 lists":   "To: a@dst.example" + strings.Repeat(",\r\n a@dst.example", many) + "\r\n\r\n",
		"one field on a line":         "To: " + strings.Repeat("a@dst.example, ", many) + "\r\n\r\n",
		"comments in comments":        "To: " + strings.Repeat("(", 2*many) + "\r\n\r\n",
		"a parameter in many parts":   "Content-Type: a/b" + strings.Repeat(";\r\n x*1*=y", many) + "\r\n\r\n",
		"multiparts in multiparts":    strings.Repeat("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", many/5),
		"every octet on its own line": "X: y" + strings.Repeat("\r\n y", 2*many) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			f.server.Limits.MessageSize = 64 << 20
			f.router.Rules = []route.Rule{{Field: "X-Spam-Flag", Folder: ".Junk", Make: true}}
			begun := time.Now()
			c, err := client.New(t.Context(), f.connect(t, "pipe"), client.Options{})
			must(t, err)
			r, err := c.Send(t.Context(), client.Message{From: "a@src.example", To: client.To("u1@dst.example"),
				Content: strings.NewReader(content)})
			if err != nil || !r.Recipients[0].Delivered() {
				t.Fatalf("%v, %+v", err, r)
			}
			must(t, c.Quit(t.Context()))
			f.shutdown(t)
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("%d octets took %v", len(content), took)
			}
			f.wantMail(t, map[string]int{"u1": 1})
		})
	}
}
