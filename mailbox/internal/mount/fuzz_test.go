package mount

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzParse: a mount point of any name is found, whatever else is in the table.
func FuzzParse(f *testing.F) {
	f.Add("/srv/mail of\tall\n\\040", "x\n1 2 3\n")
	f.Add("/srv/non-breaking\u00a0space\v\r", "")
	f.Fuzz(func(t *testing.T, point, others string) {
		if point == "" || strings.ContainsRune(point, 0) {
			t.Skip("no name that the kernel has")
		}
		// As seq_path does it (fs/seq_file.c).
		written := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(point)
		table := fmt.Sprintf("%s\n36 35 98:0 /mnt1 %s rw,noatime master:1 - ext3 /dev/root rw\n", others, written)
		if got := parse([]byte(table)); got[point] != 36 {
			t.Errorf("%q: %v", table, got)
		}
	})
}
