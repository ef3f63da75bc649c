package mailbox

import (
	"runtime"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// framesAtRename is a kernel that looks at the stack of the goroutine that publishes.
type framesAtRename struct {
	kernel.Linux
	frames []string
}

func (k *framesAtRename) Rename(fromDir int, from string, toDir int, to string) error {
	pcs := make([]uintptr, 100)
	stack := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = stack.Next()
		k.frames = append(k.frames, f.Function)
		if strings.HasSuffix(f.Function, ".Commit") {
			break
		}
	}
	return k.Linux.Rename(fromDir, from, toDir, to)
}

// Few steps lead from Commit to the system call that publishes a copy, so that a reader gets there.
func TestFramesAtRename(t *testing.T) {
	const most = 8
	sys := &framesAtRename{}
	s := open(t, Options{Create: true}, sys)
	if err := send(t, s, "x\r\n", Dest{Root: scratch(t), Path: "u", Quota: Quota{Messages: 10}})[0]; err != nil {
		t.Fatal(err)
	}
	if n := len(sys.frames); n == 0 || n > most {
		t.Errorf("%d frames at the rename, want at most %d:\n%s", n, most, strings.Join(sys.frames, "\n"))
	}
}
