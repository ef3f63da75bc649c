package maildir

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name    string
		current bool
		wrong   string // "" if nothing is
	}{
		{"1.a", false, ""},
		{"1.a,S=5,W=6", false, ""},
		{"1.a:2,S", false, ""},
		{"1.a:2,", true, ""},
		{"1.a,S=5,W=6:2,DFPRSTabz", true, ""},
		{"1.a:2,FS,x-program", true, ""},
		{"1.ä:2,", true, ""},
		{"1.a", true, "does not end in :2,"},
		{"1.a:", true, "no 2,"},
		{"1.a:1,x", true, "no 2,"},
		{"1.a:1,x", false, "no 2,"},
		{"1.a:2,SF", true, "order"},
		{"1.a:2,SS", true, "order"},
		{"1.a:2,aS", true, "order"},
		{"1.a:2,S=5", true, "no letter"},
		{"1.a:2,\x07", true, "control character"},
		{"1.\x1b[2J", false, "control character"},
		{"1.\u0085", false, "control character"},
		{"1.\xff:2,S", true, "not UTF-8"},
		{",S=5", false, "no unique part"},
		{":2,S", true, "no unique part"},
		{"1.a,S=", false, "S= in its name is no size"},
		{"1.a,S=-5:2,", true, "S= in its name is no size"},
		{"1.a,S=99999999999999999999", false, "S= in its name is no size"},
		{"1.a,S=5,W=x:2,", true, "W= in its name is no size"},
	} {
		err := CheckName(c.name, c.current)
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q, in cur %t: %v, want %q", c.name, c.current, err, c.wrong)
		}
	}
}

func TestUnique(t *testing.T) {
	for _, name := range []string{"1.a", "1.a,S=5,W=6", "1.a:2,S", "1.a,S=5:2,FS", "1.a:2,"} {
		if got := Unique(name); got != "1.a" {
			t.Errorf("%q: %q", name, got)
		}
	}
}
