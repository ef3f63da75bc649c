package main

import (
	"strings"
	"testing"
)

// TestPrinted: a row for each package, then what is beyond the limits.
func TestPrinted(t *testing.T) {
	var out strings.Builder
	if err := run(&out, "../../../..", []string{"./lmtp/address", "./cmd/internal/house"}, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"package ", "\nlmtp/address ", "\ncmd/internal/house ", "\nlong lines: ", "\nbeyond the limits: 0\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}
