package maildir

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unique is the part of a message's name that no other message in the folder may have: what stands before sizes and
// flags.
func Unique(name string) string {
	if end := strings.IndexAny(name, ",:"); end >= 0 {
		return name[:end]
	}
	return name
}

// CheckName says what is wrong with the name of a message, which is in cur/ if current: there the flags follow the
// unique part after ":2,", if there are none also. In new/ they may. The form is that of
// https://cr.yp.to/proto/maildir.html, with the sizes of Maildir++.
func CheckName(name string, current bool) error {
	base, info, hasInfo := strings.Cut(name, ":")
	switch {
	case Unique(name) == "":
		return errors.New("its name has no unique part")
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("its name has a control character")
	case !hasInfo && current:
		return errors.New("its name does not end in :2, and flags, as all do in cur")
	}
	if hasInfo {
		if err := checkInfo(info); err != nil {
			return err
		}
	}
	for _, key := range []string{"S=", "W="} {
		if _, ok := sizeField(base, ","+key); !ok && strings.Contains(base, ","+key) {
			return fmt.Errorf("%s in its name is no size", key)
		}
	}
	return nil
}

// checkInfo checks what follows the colon: "2," and letters in ASCII order, each once. Small letters are keywords of
// Dovecot, and what follows another comma is for programs that know it.
func checkInfo(info string) error {
	flags, ok := strings.CutPrefix(info, "2,")
	if !ok {
		return errors.New("its name has no 2, after the colon")
	}
	flags, _, _ = strings.Cut(flags, ",")
	for i := range len(flags) {
		c := flags[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return errors.New("a flag in its name is no letter")
		}
		if i > 0 && c <= flags[i-1] {
			return errors.New("the flags in its name are not in the order of letters, each once")
		}
	}
	return nil
}
