package mailbox_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// framesAtContent is a kernel that looks at the stacks of all goroutines when content is written to the disk: a step
// on the disk has a goroutine of its own, for which that of the session waits.
type framesAtContent struct {
	kernel.Linux
	mu     sync.Mutex
	frames []string // from Content.Write up to the loop of the session; the longest that was seen
}

// frame is a function in a dump of stacks: a name, and arguments.
var frame = regexp.MustCompile(`(?m)^([a-z][\w./\-]*\.[\w.()*\[\]]+)\(`)

func (k *framesAtContent) Writev(fd int, bufs [][]byte) (int, error) {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	for stack := range strings.SplitSeq(string(text), "\n\n") {
		var names []string
		for _, m := range frame.FindAllStringSubmatch(stack, -1) {
			names = append(names, m[1])
		}
		from := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, "mailbox.(*Content).Write") })
		to := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, "lmtp.(*conn).step") })
		if from < 0 || to < 0 {
			continue
		}
		k.mu.Lock()
		if names = names[from : to+1]; len(names) > len(k.frames) {
			k.frames = names
		}
		k.mu.Unlock()
	}
	return k.Linux.Writev(fd, bufs)
}

// Few steps lead from the loop of a session, which reads command lines, to the store, which takes the content: of the
// header, which is held and edited, and of the body, by DATA and by BDAT.
func TestFramesAtContent(t *testing.T) {
	const most = 15
	const octets = 400 << 10 // more than stays in memory
	message := map[string]string{
		"header": strings.Repeat("A: b\r\n", octets/6) + "\r\n",
		"body":   "A: b\r\n\r\n" + strings.Repeat("line\r\n", octets/6),
	}
	for name, text := range message {
		for verb, content := range map[string]string{
			"DATA": "DATA\r\n" + text + ".\r\n",
			"BDAT": fmt.Sprintf("BDAT %d LAST\r\n%s", len(text), text),
		} {
			t.Run(name+" by "+verb, func(t *testing.T) {
				sys := &framesAtContent{}
				deliver(t, sys, content)
				if n := len(sys.frames); n == 0 || n > most {
					t.Errorf("%d frames, want at most %d:\n%s", n, most, strings.Join(sys.frames, "\n"))
				}
			})
		}
	}
}

// deliver sends one message to a server whose store is on another kernel.
func deliver(t *testing.T, sys kernel.System, content string) {
	t.Helper()
	store, err := mailbox.NewOn(mailbox.Options{Create: true, Host: "h", Durability: mailbox.None}, sys)
	if err != nil {
		t.Fatal(err)
	}
	accounts, domains := static.New(), route.Domains{}
	account := &directory.Account{Address: "u@dst.example", Key: directory.Key{Local: "u", Domain: "dst.example"}}
	domain := &route.Domain{Name: "dst.example", Key: "dst.example"}
	if err := errors.Join(accounts.Add(account), domains.Add(domain)); err != nil {
		t.Fatal(err)
	}
	router := &route.Router{
		Resolver: &route.Resolver{Domains: domains, Directory: accounts},
		Layout:   route.Layout(t.TempDir() + "/{domain}/{local}"), Store: store,
	}
	log := guardtest.Log(t)
	agent := &delivery.Agent{Router: router, Store: store, Log: log}
	server := &lmtp.Server{Handler: agent, Hostname: "mx.dst.example", Log: log}
	ours, theirs := net.Pipe()
	var served sync.WaitGroup
	served.Go(func() { server.ServeConn(theirs) })
	served.Go(func() {
		_, err := io.WriteString(ours, "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@dst.example>\r\n"+content+"QUIT\r\n")
		if err != nil {
			t.Error(err)
		}
	})
	replies, err := io.ReadAll(ours)
	served.Wait()
	if err != nil || !strings.Contains(string(replies), "250 2.1.5") || !strings.Contains(string(replies), "delivered") {
		t.Errorf("%v\n%s", err, replies)
	}
}
