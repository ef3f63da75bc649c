package message

import (
	"net/mail"
	"strings"
	"time"
)

// ParseDate reads a date as header fields have it (RFC 5322 §3.3), the obsolete forms too. ok reports whether it is
// one.
func ParseDate(text string) (date time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > 256 {
		return time.Time{}, false
	}
	date, err := mail.ParseDate(text)
	return date, err == nil
}
